import { createHash } from 'node:crypto'
import * as z from 'zod'

/** The account and region that an assembly is resolved for. Nothing is ever sent there. */
export const PRETENDED = {
  account: '123456789012',
  region: 'eu-central-1',
  partition: 'aws',
  urlSuffix: 'amazonaws.com',
} as const

export const Resource = z.looseObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  Condition: z.string().optional(),
})
export type Resource = z.infer<typeof Resource>

export const Template = z.looseObject({
  Resources: z.record(z.string(), Resource),
  Parameters: z.record(z.string(), z.looseObject({ Default: z.unknown().optional() })).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Outputs: z
    .record(
      z.string(),
      z.looseObject({ Value: z.unknown(), Export: z.looseObject({ Name: z.unknown() }).optional() }),
    )
    .default({}),
})
export type Template = z.infer<typeof Template>

/** One stack, and how what CloudFormation would fill in is found. */
export interface Scope {
  readonly stack: string
  readonly template: Template
  /** Another stack's export; throws where there is none. */
  readonly imported: (name: string) => unknown
}

const { account, region, partition, urlSuffix } = PRETENDED
const arn = (service: string, rest: string): string =>
  `arn:${partition}:${service}:${region}:${account}:${rest}`

/** What CloudFormation would call a resource that brings no name of its own: unlike any name in the code. */
function physicalName(scope: Scope, id: string): string {
  return `${scope.stack}-${id}-1A2B3C4D5E6F`
}

/** API Gateway's ids: ten lower-case letters and digits, told from the resource. */
function apiId(id: string): string {
  return `a${createHash('sha256').update(id).digest('hex').slice(0, 9)}`
}

type Names = (scope: Scope, id: string, properties: Readonly<Record<string, unknown>>) => string

/** A name that the template gives, or CloudFormation's. */
const named =
  (property: string): Names =>
  (scope, id, properties) =>
    property in properties ? text(scope, properties[property]) : physicalName(scope, id)

interface Kind {
  readonly ref: Names
  readonly attributes?: Readonly<Record<string, Names>>
}

const table: Kind = {
  ref: named('TableName'),
  attributes: { Arn: (...of) => arn('dynamodb', `table/${named('TableName')(...of)}`) },
}

/** What `Ref` and `Fn::GetAtt` give for the types of resources that others refer to. One that is missing is an error. */
const KINDS: Readonly<Record<string, Kind>> = {
  'AWS::DynamoDB::Table': table,
  'AWS::DynamoDB::GlobalTable': table,
  'AWS::Lambda::Function': {
    ref: named('FunctionName'),
    attributes: { Arn: (...of) => arn('lambda', `function:${named('FunctionName')(...of)}`) },
  },
  'AWS::IAM::Role': {
    ref: named('RoleName'),
    attributes: { Arn: (...of) => `arn:${partition}:iam::${account}:role/${named('RoleName')(...of)}` },
  },
  'AWS::Logs::LogGroup': {
    ref: named('LogGroupName'),
    attributes: { Arn: (...of) => arn('logs', `log-group:${named('LogGroupName')(...of)}:*`) },
  },
  'AWS::SNS::Topic': {
    ref: (...of) => arn('sns', named('TopicName')(...of)),
    attributes: { TopicName: named('TopicName'), TopicArn: (...of) => arn('sns', named('TopicName')(...of)) },
  },
  'AWS::SQS::Queue': {
    ref: (...of) => `https://sqs.${region}.${urlSuffix}/${account}/${named('QueueName')(...of)}`,
    attributes: { Arn: (...of) => arn('sqs', named('QueueName')(...of)), QueueName: named('QueueName') },
  },
  'AWS::KMS::Key': {
    ref: physicalName,
    attributes: { Arn: (...of) => arn('kms', `key/${physicalName(of[0], of[1])}`) },
  },
  'AWS::CloudWatch::Alarm': {
    ref: named('AlarmName'),
    attributes: { Arn: (...of) => arn('cloudwatch', `alarm:${named('AlarmName')(...of)}`) },
  },
  'AWS::CloudWatch::Dashboard': { ref: named('DashboardName') },
  'AWS::ApiGatewayV2::Api': {
    ref: (_scope, id) => apiId(id),
    attributes: {
      ApiId: (_scope, id) => apiId(id),
      ApiEndpoint: (_scope, id, { ProtocolType }) =>
        `${ProtocolType === 'WEBSOCKET' ? 'wss' : 'https'}://${apiId(id)}.execute-api.${region}.${urlSuffix}`,
    },
  },
  'AWS::ApiGatewayV2::Stage': { ref: named('StageName') },
  'AWS::ApiGatewayV2::Authorizer': { ref: (_scope, id) => apiId(id) },
  'AWS::ApiGatewayV2::Integration': { ref: (_scope, id) => apiId(id) },
  'AWS::ApiGatewayV2::Deployment': { ref: (_scope, id) => apiId(id) },
  'AWS::ApiGatewayV2::Route': { ref: (_scope, id) => apiId(id) },
  'AWS::Scheduler::Schedule': {
    ref: named('Name'),
    attributes: {
      Arn: (...of) => {
        const group = of[2]['GroupName']
        return arn(
          'scheduler',
          `schedule/${group === undefined ? 'default' : text(of[0], group)}/${named('Name')(...of)}`,
        )
      },
    },
  },
  'AWS::Scheduler::ScheduleGroup': {
    ref: named('Name'),
    attributes: { Arn: (...of) => arn('scheduler', `schedule-group/${named('Name')(...of)}`) },
  },
  'AWS::Events::Rule': {
    ref: named('Name'),
    attributes: { Arn: (...of) => arn('events', `rule/${named('Name')(...of)}`) },
  },
  'AWS::IAM::Policy': { ref: physicalName },
  'AWS::IAM::ManagedPolicy': {
    ref: (...of) => `arn:${partition}:iam::${account}:policy/${physicalName(of[0], of[1])}`,
  },
}

function pseudo(scope: Scope, name: string): string | null {
  switch (name) {
    case 'AWS::AccountId':
      return account
    case 'AWS::Region':
      return region
    case 'AWS::Partition':
      return partition
    case 'AWS::URLSuffix':
      return urlSuffix
    case 'AWS::StackName':
      return scope.stack
    case 'AWS::StackId':
      return arn('cloudformation', `stack/${scope.stack}/0d9f1c7e-0000-4000-8000-000000000000`)
    default:
      return null
  }
}

/**
 * A value of a template as CloudFormation would resolve it, deeply. `AWS::NoValue` takes its key away. Throws for
 * everything that it doesn't know for sure.
 */
export function resolve(scope: Scope, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => resolve(scope, one)).filter((one) => one !== undefined)
  if (typeof value === 'string' && value.includes('{{resolve:'))
    throw unresolvable(scope, `the dynamic reference ${value}`)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only !== undefined && (only[0] === 'Ref' || only[0].startsWith('Fn::')))
    return call(scope, only[0], only[1])
  return Object.fromEntries(
    entries.map(([key, one]) => [key, resolve(scope, one)] as const).filter(([, one]) => one !== undefined),
  )
}

/** `resolve` where only a text, a number or a boolean makes sense. */
export function text(scope: Scope, value: unknown): string {
  const resolved = resolve(scope, value)
  if (typeof resolved === 'string' || typeof resolved === 'number' || typeof resolved === 'boolean')
    return String(resolved)
  throw unresolvable(scope, `${JSON.stringify(value)}, which is not a text,`)
}

function call(scope: Scope, name: string, argument: unknown): unknown {
  switch (name) {
    case 'Ref':
      return reference(scope, String(argument))
    case 'Fn::GetAtt': {
      const [id = '', ...path] = typeof argument === 'string' ? argument.split('.') : list(scope, argument)
      return attribute(scope, id, path.join('.'))
    }
    case 'Fn::Join': {
      const [separator, parts] = z.tuple([z.string(), z.unknown()]).parse(argument)
      return list(scope, parts).join(separator)
    }
    case 'Fn::Sub':
      return substitute(scope, argument)
    case 'Fn::Select': {
      const [index, parts] = z.tuple([z.unknown(), z.unknown()]).parse(argument)
      const found = list(scope, parts)[Number(text(scope, index))]
      if (found === undefined) throw unresolvable(scope, `Fn::Select ${JSON.stringify(argument)}`)
      return found
    }
    case 'Fn::Split': {
      const [separator, whole] = z.tuple([z.string(), z.unknown()]).parse(argument)
      return text(scope, whole).split(separator)
    }
    case 'Fn::If': {
      const [condition, yes, no] = z.tuple([z.string(), z.unknown(), z.unknown()]).parse(argument)
      return resolve(scope, holds(scope, scope.template.Conditions[condition], condition) ? yes : no)
    }
    case 'Fn::FindInMap': {
      const [map = '', top = '', second = ''] = list(scope, argument)
      const found = scope.template.Mappings[map]?.[top]?.[second]
      if (found === undefined) throw unresolvable(scope, `Fn::FindInMap ${map}/${top}/${second}`)
      return found
    }
    case 'Fn::ImportValue':
      return scope.imported(text(scope, argument))
    default:
      throw unresolvable(scope, `the function ${name}`)
  }
}

function list(scope: Scope, value: unknown): readonly string[] {
  const resolved = resolve(scope, value)
  if (!Array.isArray(resolved)) throw unresolvable(scope, `${JSON.stringify(value)}, which is not a list,`)
  return resolved.map((one) => text(scope, one))
}

function reference(scope: Scope, id: string): unknown {
  if (id === 'AWS::NoValue') return undefined
  const known = pseudo(scope, id)
  if (known !== null) return known
  const parameter = scope.template.Parameters[id]
  if (parameter !== undefined) {
    if (parameter.Default === undefined)
      throw unresolvable(scope, `the parameter ${id}, which has no default,`)
    return parameter.Default
  }
  const { resource, kind } = kindOf(scope, id)
  return kind.ref(scope, id, resource.Properties)
}

function attribute(scope: Scope, id: string, name: string): string {
  const { resource, kind } = kindOf(scope, id)
  const found = kind.attributes?.[name]
  if (found === undefined) throw unresolvable(scope, `the attribute ${name} of ${id} (${resource.Type})`)
  return found(scope, id, resource.Properties)
}

function kindOf(scope: Scope, id: string): { resource: Resource; kind: Kind } {
  const resource = scope.template.Resources[id]
  if (resource === undefined) throw unresolvable(scope, `${id}, which the stack doesn't have,`)
  const kind = KINDS[resource.Type]
  if (kind === undefined) throw unresolvable(scope, `a reference to ${id} of type ${resource.Type}`)
  return { resource, kind }
}

/** `${Id}`, `${Id.Attribute}`, and `${!literal}`. */
function substitute(scope: Scope, argument: unknown): string {
  const [pattern, variables] =
    typeof argument === 'string'
      ? [argument, {}]
      : z.tuple([z.string(), z.record(z.string(), z.unknown())]).parse(argument)
  return pattern.replaceAll(/\$\{(!?)([^}]+)\}/g, (_all, literal: string, name: string) => {
    if (literal === '!') return `\${${name}}`
    if (name in variables) return text(scope, variables[name])
    const [id = '', ...path] = name.split('.')
    return path.length === 0 ? text(scope, { Ref: id }) : attribute(scope, id, path.join('.'))
  })
}

function holds(scope: Scope, condition: unknown, name: string): boolean {
  const [[operator, argument] = ['', null]] = Object.entries(
    z.record(z.string(), z.unknown()).parse(condition ?? {}),
  )
  switch (operator) {
    case 'Fn::Equals': {
      const [left, right] = z.tuple([z.unknown(), z.unknown()]).parse(argument)
      return text(scope, left) === text(scope, right)
    }
    case 'Fn::Not':
      return !holds(scope, z.array(z.unknown()).parse(argument)[0], name)
    case 'Fn::And':
      return z
        .array(z.unknown())
        .parse(argument)
        .every((one) => holds(scope, one, name))
    case 'Fn::Or':
      return z
        .array(z.unknown())
        .parse(argument)
        .some((one) => holds(scope, one, name))
    case 'Condition':
      return holds(scope, scope.template.Conditions[String(argument)], String(argument))
    default:
      throw unresolvable(scope, `the condition ${name}`)
  }
}

/** Whether the stack would have the resource at all. */
export function isWanted(scope: Scope, resource: Resource): boolean {
  const { Condition } = resource
  return Condition === undefined || holds(scope, scope.template.Conditions[Condition], Condition)
}

function unresolvable(scope: Scope, what: string): Error {
  return new Error(
    `${what} can't be resolved in the stack ${scope.stack}: teach test/assembly/intrinsics.ts.`,
  )
}
