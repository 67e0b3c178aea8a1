import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb'
import * as z from 'zod'
import { Statement } from './iam.ts'
import { isWanted, type Resource, resolve, type Scope, Template, text } from './intrinsics.ts'

/** What an assembly declares, every value as CloudFormation would fill it in. */
export interface Assembly {
  readonly tables: readonly {
    readonly arn: string
    readonly input: CreateTableCommandInput & { TableName: string }
  }[]
  readonly functions: readonly DeclaredFunction[]
  readonly roles: readonly DeclaredRole[]
  readonly schedules: readonly DeclaredSchedule[]
  readonly apis: readonly DeclaredApi[]
  /** Who may invoke which function, besides roles: the functions' own policies. */
  readonly permissions: readonly DeclaredPermission[]
  /** How many resources of each CloudFormation type there are. */
  readonly counts: Readonly<Record<string, number>>
  /** The resolved properties of every resource of a type that nothing above tells about. */
  readonly propertiesOf: (type: string) => readonly Readonly<Record<string, unknown>>[]
}

export interface DeclaredFunction {
  /** Its id in the template. */
  readonly id: string
  readonly name: string
  readonly arn: string
  readonly assetFolder: string
  readonly handler: string
  readonly env: Readonly<Record<string, string>>
  readonly roleArn: string
  readonly memoryMb: number
  readonly timeoutMs: number
  readonly runtime: string
  readonly architecture: string
  readonly logGroup: string
}

export interface DeclaredRole {
  readonly arn: string
  /** Services that may take it on. */
  readonly trusts: readonly string[]
  readonly statements: readonly Statement[]
}

export interface DeclaredSchedule {
  readonly arn: string
  readonly everyMs: number
  readonly functionArn: string
  readonly roleArn: string
  /** Undefined: the schedule's own event. */
  readonly input: unknown
  readonly retries: number
}

export interface DeclaredApi {
  readonly id: string
  readonly protocol: 'HTTP' | 'WEBSOCKET'
  readonly stage: string
  readonly routes: readonly DeclaredRoute[]
}

export interface DeclaredRoute {
  /** `$connect`, or `GET /health`. */
  readonly key: string
  readonly functionArn: string
  readonly authorizer:
    | { readonly kind: 'none' }
    | { readonly kind: 'iam' }
    | {
        readonly kind: 'request'
        readonly id: string
        readonly functionArn: string
        readonly identitySources: readonly string[]
      }
}

export interface DeclaredPermission {
  readonly functionArn: string
  readonly principal: string
  /** Null: the service may invoke it on anybody's behalf. */
  readonly sourceArn: string | null
}

/** The folder that `synthesize` wrote. Throws when anything in it can't be resolved for sure. */
export async function readAssembly(folder: string): Promise<Assembly> {
  const loaded = await loadStacks(folder)
  const scopes: Scope[] = loaded.map(({ stack, template }) => ({ stack, template, imported }))
  function imported(name: string): unknown {
    for (const scope of scopes)
      for (const { Export, Value } of Object.values(scope.template.Outputs))
        if (Export !== undefined && text(scope, Export.Name) === name) return resolve(scope, Value)
    throw new Error(`No stack exports ${name}.`)
  }
  const resources = scopes.flatMap((scope) =>
    Object.entries(scope.template.Resources)
      .filter(([, resource]) => isWanted(scope, resource))
      .map(
        ([id, resource]): Declared => ({ scope, id, resource, properties: propertiesOf(scope, resource) }),
      ),
  )
  const assets = new Map(loaded.flatMap((stack) => [...stack.assets]))
  const of = (...types: readonly string[]) =>
    resources.filter(({ resource }) => types.includes(resource.Type))
  return {
    tables: of('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable').map(tableOf),
    functions: of('AWS::Lambda::Function').map((one) => functionOf(one, assets)),
    roles: of('AWS::IAM::Role').map((role) => roleOf(role, of('AWS::IAM::Policy'))),
    schedules: of('AWS::Scheduler::Schedule').map(scheduleOf),
    apis: of('AWS::ApiGatewayV2::Api').map((api) => apiOf(api, of)),
    permissions: of('AWS::Lambda::Permission').map(({ properties }) => {
      const { FunctionName, Principal, SourceArn } = PermissionProperties.parse(properties)
      return { functionArn: FunctionName, principal: Principal, sourceArn: SourceArn }
    }),
    counts: Object.fromEntries(
      [...new Set(resources.map(({ resource }) => resource.Type))].map((type) => [type, of(type).length]),
    ),
    propertiesOf: (type) => of(type).map(({ properties }) => properties),
  }
}

const PermissionProperties = z.looseObject({
  FunctionName: z.string(),
  Principal: z.string(),
  SourceArn: z.string().nullable().default(null),
})

interface Declared {
  readonly scope: Scope
  readonly id: string
  readonly resource: Resource
  readonly properties: Readonly<Record<string, unknown>>
}

const Manifest = z.looseObject({
  artifacts: z.record(
    z.string(),
    z.looseObject({ type: z.string(), properties: z.looseObject({}).default({}) }),
  ),
})
const AssetManifest = z.looseObject({
  files: z
    .record(z.string(), z.looseObject({ source: z.looseObject({ path: z.string().optional() }) }))
    .default({}),
})

interface LoadedStack {
  readonly stack: string
  readonly template: Template
  /** Folder or file of each asset, by its hash. */
  readonly assets: ReadonlyMap<string, string>
}

async function loadStacks(folder: string): Promise<readonly LoadedStack[]> {
  const manifest = Manifest.parse(await readJson(join(folder, 'manifest.json')))
  const artifacts = Object.entries(manifest.artifacts)
  const assets = new Map<string, string>()
  for (const [, { properties }] of artifacts.filter(([, { type }]) => type === 'cdk:asset-manifest')) {
    const { files } = AssetManifest.parse(await readJson(join(folder, String(properties['file']))))
    for (const [hash, { source }] of Object.entries(files))
      if (source.path !== undefined) assets.set(hash, join(folder, source.path))
  }
  const stacks: LoadedStack[] = []
  for (const [id, { type, properties }] of artifacts) {
    if (type === 'aws:cloudformation:stack') {
      const template = Template.parse(await readJson(join(folder, String(properties['templateFile']))))
      const { stackName } = z.looseObject({ stackName: z.string().default(id) }).parse(properties)
      stacks.push({ stack: stackName, template, assets })
    } else if (type === 'cdk:cloud-assembly')
      stacks.push(...(await loadStacks(join(folder, String(properties['directoryName'])))))
  }
  return stacks
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'))
}

function propertiesOf(scope: Scope, resource: Resource): Readonly<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(resolve(scope, resource.Properties))
}

function attributeOf({ scope, id }: Declared, name: string): string {
  return text(scope, { 'Fn::GetAtt': [id, name] })
}

const CREATE_TABLE = new Set([
  'AttributeDefinitions',
  'KeySchema',
  'BillingMode',
  'GlobalSecondaryIndexes',
  'LocalSecondaryIndexes',
])
/** What a table is besides what programs see of it. */
const BESIDE = new Set([
  'TableName',
  'PointInTimeRecoverySpecification',
  'TimeToLiveSpecification',
  'SSESpecification',
  'DeletionProtectionEnabled',
  'Replicas',
  'Tags',
])

function tableOf(declared: Declared): Assembly['tables'][number] {
  const { scope, id, properties } = declared
  const unknown = Object.keys(properties).filter((key) => !CREATE_TABLE.has(key) && !BESIDE.has(key))
  if (unknown.length > 0)
    throw new Error(`The table ${id} declares ${unknown.join(', ')}, which nothing here creates.`)
  const input = Object.fromEntries(Object.entries(properties).filter(([key]) => CREATE_TABLE.has(key)))
  return {
    arn: attributeOf(declared, 'Arn'),
    input: { ...(input as unknown as CreateTableCommandInput), TableName: text(scope, { Ref: id }) },
  }
}

const FunctionProperties = z.looseObject({
  Code: z.looseObject({ S3Key: z.string() }),
  Handler: z.string(),
  Role: z.string(),
  Runtime: z.string(),
  Architectures: z.tuple([z.string()]),
  MemorySize: z.coerce.number().default(128),
  Timeout: z.coerce.number().default(3),
  Environment: z.looseObject({ Variables: z.record(z.string(), z.coerce.string()) }).optional(),
  LoggingConfig: z.looseObject({ LogGroup: z.string().optional() }).optional(),
})

function functionOf(declared: Declared, assets: ReadonlyMap<string, string>): DeclaredFunction {
  const { scope, id } = declared
  const properties = FunctionProperties.parse(declared.properties)
  const hash = properties.Code.S3Key.replace(/\.zip$/, '')
  const assetFolder = assets.get(hash)
  if (assetFolder === undefined) throw new Error(`The code of ${id} is no asset of its assembly: ${hash}.`)
  const name = text(scope, { Ref: id })
  return {
    id,
    name,
    arn: attributeOf(declared, 'Arn'),
    assetFolder,
    handler: properties.Handler,
    env: properties.Environment?.Variables ?? {},
    roleArn: properties.Role,
    memoryMb: properties.MemorySize,
    timeoutMs: properties.Timeout * 1_000,
    runtime: properties.Runtime,
    architecture: properties.Architectures[0],
    logGroup: properties.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
  }
}

const Policy = z.looseObject({ Statement: z.array(Statement) })
const TrustPolicy = z.looseObject({
  Statement: z.array(
    z.looseObject({
      Effect: z.literal('Allow'),
      Principal: z.looseObject({ Service: z.union([z.string(), z.array(z.string())]).optional() }),
    }),
  ),
})
const RoleProperties = z.looseObject({
  AssumeRolePolicyDocument: TrustPolicy,
  ManagedPolicyArns: z.array(z.string()).default([]),
  Policies: z.array(z.looseObject({ PolicyDocument: Policy })).default([]),
})
const PolicyProperties = z.looseObject({ PolicyDocument: Policy, Roles: z.array(z.string()).default([]) })

function roleOf(declared: Declared, policies: readonly Declared[]): DeclaredRole {
  const properties = RoleProperties.parse(declared.properties)
  const [managed] = properties.ManagedPolicyArns
  if (managed !== undefined)
    throw new Error(`${declared.id} takes on ${managed}: write down what it may do instead.`)
  const name = text(declared.scope, { Ref: declared.id })
  const attached = policies
    .map((policy) => PolicyProperties.parse(policy.properties))
    .filter(({ Roles }) => Roles.includes(name))
  return {
    arn: attributeOf(declared, 'Arn'),
    trusts: properties.AssumeRolePolicyDocument.Statement.flatMap(({ Principal }) => Principal.Service ?? []),
    statements: [...properties.Policies, ...attached].flatMap(
      ({ PolicyDocument }) => PolicyDocument.Statement,
    ),
  }
}

const ScheduleProperties = z.looseObject({
  ScheduleExpression: z.string(),
  Target: z.looseObject({
    Arn: z.string(),
    RoleArn: z.string(),
    Input: z.string().optional(),
    RetryPolicy: z.looseObject({ MaximumRetryAttempts: z.coerce.number().default(185) }).optional(),
  }),
})
const UNITS_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

function scheduleOf(declared: Declared): DeclaredSchedule {
  const { ScheduleExpression, Target } = ScheduleProperties.parse(declared.properties)
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(ScheduleExpression)
  if (rate === null)
    throw new Error(`The schedule ${declared.id} runs at ${ScheduleExpression}, which nothing here keeps.`)
  return {
    arn: attributeOf(declared, 'Arn'),
    everyMs: Number(rate[1]) * UNITS_MS[rate[2] as keyof typeof UNITS_MS],
    functionArn: Target.Arn,
    roleArn: Target.RoleArn,
    input: Target.Input === undefined ? undefined : JSON.parse(Target.Input),
    retries: Target.RetryPolicy?.MaximumRetryAttempts ?? 185,
  }
}

function apiOf(api: Declared, of: (...types: readonly string[]) => readonly Declared[]): DeclaredApi {
  const id = text(api.scope, { Ref: api.id })
  const mine = (type: string) =>
    of(`AWS::ApiGatewayV2::${type}`).filter(({ properties }) => properties['ApiId'] === id)
  const find = (type: string, name: unknown): Declared => {
    const found = mine(type).find((one) => text(one.scope, { Ref: one.id }) === name)
    if (found === undefined) throw new Error(`${api.id} has no ${type} ${String(name)}.`)
    return found
  }
  const stages = mine('Stage')
  const [stage] = stages
  if (stage === undefined || stages.length > 1) throw new Error(`${api.id} has ${stages.length} stages.`)
  const authorizerOf = (properties: Declared['properties']): DeclaredRoute['authorizer'] => {
    const type = properties['AuthorizationType'] ?? 'NONE'
    if (type === 'NONE') return { kind: 'none' }
    if (type === 'AWS_IAM') return { kind: 'iam' }
    const authorizer = find('Authorizer', properties['AuthorizerId'])
    if (authorizer.properties['AuthorizerType'] !== 'REQUEST')
      throw new Error(`${authorizer.id} is no REQUEST authorizer.`)
    return {
      kind: 'request',
      id: String(properties['AuthorizerId']),
      functionArn: invoked(String(authorizer.properties['AuthorizerUri'])),
      identitySources: z.array(z.string()).parse(authorizer.properties['IdentitySource'] ?? []),
    }
  }
  return {
    id,
    protocol: z.enum(['HTTP', 'WEBSOCKET']).parse(api.properties['ProtocolType']),
    stage: String(stage.properties['StageName']),
    routes: mine('Route').map(({ properties }) => {
      const [, integration] = String(properties['Target']).split('/')
      return {
        key: String(properties['RouteKey']),
        functionArn: invoked(String(find('Integration', integration).properties['IntegrationUri'])),
        authorizer: authorizerOf(properties),
      }
    }),
  }
}

/** An integration names its function plainly, or as API Gateway's own path to it. */
function invoked(uri: string): string {
  return /functions\/(arn:[^/]+)\/invocations$/.exec(uri)?.[1] ?? uri
}
