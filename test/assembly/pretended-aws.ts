import { createHash, randomUUID } from 'node:crypto'
import { CreateTableCommand } from '@aws-sdk/client-dynamodb'
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { APIGatewayAuthorizerResult } from 'aws-lambda'
import * as z from 'zod'
import { sortableTime, timeOf } from '../../adapters/dynamodb/change-index.ts'
import { createLog, type LogEntry } from '../../adapters/log/index.ts'
import { type LocalGateway, startGateway } from '../../local/gateway/index.ts'
import { type LocalManagement, startManagement } from '../../local/gateway/management.ts'
import { type DynamoEmulator, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'
import { type SsmStandIn, startSsmStandIn } from '../support/ssm-stand-in.ts'
import type { StartEnvironment } from './environment.ts'
import { type Caller, type HttpFront, startHttpFront } from './http-front.ts'
import { isLike } from './iam.ts'
import { PRETENDED } from './intrinsics.ts'
import { LambdaHost } from './lambda-host.ts'
import type { Assembly, DeclaredApi, DeclaredPermission, DeclaredSchedule } from './template.ts'
import {
  invokeRequest,
  logRequests,
  readDynamoRequest,
  readManagementRequest,
  readSsmRequest,
  WireRecorder,
} from './wire-recorder.ts'

export interface PretendedAwsOptions {
  readonly assembly: Assembly
  readonly start: StartEnvironment
  /** Addresses that the assembly names and this machine has elsewhere. */
  readonly addresses: Readonly<Record<string, string>>
}

/** The person at the command line, with every right. */
const OPERATOR: Caller = {
  accessKeyId: 'AKIAOPERATOR00000000',
  secretAccessKey: 'the-operators-secret-key',
  userArn: `arn:${PRETENDED.partition}:iam::${PRETENDED.account}:user/operator`,
}

/**
 * What an assembly declares, up and running on this machine: its table in the embedded database, its functions as
 * Lambda would run them, its APIs, its schedules and Parameter Store. Everything that a role does is recorded.
 */
export class PretendedAws {
  readonly recorder: WireRecorder
  readonly lambda: LambdaHost
  readonly ssm: SsmStandIn
  readonly gatewayEvents: LogEntry[] = []
  /** Function policies that something was let in by. */
  readonly usedPermissions = new Set<DeclaredPermission>()
  readonly #assembly: Assembly
  readonly #emulator: DynamoEmulator
  readonly #endpoints: { dynamodb: string; ssm: string }
  readonly #addresses: Map<string, string>
  #gateway: LocalGateway | null = null
  #management: LocalManagement | null = null
  #front: HttpFront | null = null
  readonly #timers: NodeJS.Timeout[] = []
  readonly #ticking = new Set<Promise<unknown>>()

  static async open(options: PretendedAwsOptions): Promise<PretendedAws> {
    const emulator = await startDynamoEmulator()
    for (const { input } of options.assembly.tables) await emulator.client.send(new CreateTableCommand(input))
    const ssm = await startSsmStandIn()
    const recorder = new WireRecorder((accessKeyId) => roleOf(options.assembly, accessKeyId))
    const endpoints = {
      dynamodb: await recorder.open(emulator.url, readDynamoRequest(options.assembly.tables)),
      ssm: await recorder.open(ssm.url, readSsmRequest),
    }
    const addresses = new Map(Object.entries(options.addresses))
    const lambda = await LambdaHost.open({
      functions: options.assembly.functions,
      start: options.start,
      sdkEnv: ({ roleArn }) => sdkEnv(accessKeyOf(roleArn), endpoints),
      translate: (value) => translate(addresses, value),
      onEnvironment: ({ roleArn, logGroup }) => {
        for (const request of logRequests(logGroup)) recorder.note(roleArn, request)
      },
    })
    const aws = new PretendedAws(options.assembly, { emulator, ssm, recorder, lambda, endpoints, addresses })
    await aws.#openApis()
    aws.#declareParameters()
    return aws
  }

  private constructor(
    assembly: Assembly,
    parts: {
      emulator: DynamoEmulator
      ssm: SsmStandIn
      recorder: WireRecorder
      lambda: LambdaHost
      endpoints: { dynamodb: string; ssm: string }
      addresses: Map<string, string>
    },
  ) {
    this.#assembly = assembly
    this.#emulator = parts.emulator
    this.ssm = parts.ssm
    this.recorder = parts.recorder
    this.lambda = parts.lambda
    this.#endpoints = parts.endpoints
    this.#addresses = parts.addresses
  }

  /** The URL that agents connect to. */
  get agentUrl(): string {
    if (this.#gateway === null) throw new Error('No stack declares a WebSocket API.')
    return this.#gateway.url
  }

  /** The environment of somebody who works with the hub from a terminal. */
  get operatorEnv(): Readonly<Record<string, string>> {
    return {
      AWS_REGION: PRETENDED.region,
      AWS_ACCESS_KEY_ID: OPERATOR.accessKeyId,
      AWS_SECRET_ACCESS_KEY: OPERATOR.secretAccessKey,
      AWS_ENDPOINT_URL_SSM: this.#endpoints.ssm,
    }
  }

  /** Where the HTTP API is. */
  get apiUrl(): string {
    if (this.#front === null) throw new Error('No stack declares an HTTP API.')
    return this.#front.url
  }

  /** Every schedule ticks now, and then at its pace. */
  startSchedules(): void {
    for (const schedule of this.#assembly.schedules) {
      const tick = (): void => {
        this.recorder.note(schedule.roleArn, invokeRequest(schedule.functionArn))
        // What a failed tick said stands in the host's record of its invocations.
        const ticked = this.lambda.invoke(schedule.functionArn, eventOf(schedule)).catch(() => null)
        this.#ticking.add(ticked)
        void ticked.finally(() => this.#ticking.delete(ticked))
      }
      tick()
      this.#timers.push(setInterval(tick, schedule.everyMs))
    }
  }

  /** One tick of the schedule of a function, now; rejects as the function does. */
  async tick(functionArn: string): Promise<void> {
    const schedule = this.#assembly.schedules.find((one) => one.functionArn === functionArn)
    if (schedule === undefined) throw new Error(`No schedule starts ${functionArn}.`)
    this.recorder.note(schedule.roleArn, invokeRequest(functionArn))
    await this.lambda.invoke(functionArn, eventOf(schedule))
  }

  /** Lets time pass over everything that is known of hosts: every time in their items is that much older. */
  async age(ms: number): Promise<void> {
    await this.#change((item) => (String(item['pk']).startsWith('HOST#') ? aged(item, ms) : null))
  }

  /** Takes items away, as if they had never been written. Resolves with how many. */
  async forget(isMeant: (item: Readonly<Record<string, unknown>>) => boolean): Promise<number> {
    let count = 0
    for (const { table, item } of await this.#read()) {
      if (!isMeant(item)) continue
      const Key = { pk: item['pk'], sk: item['sk'] }
      await DynamoDBDocumentClient.from(this.#emulator.client).send(
        new DeleteCommand({ TableName: table, Key }),
      )
      count += 1
    }
    return count
  }

  async items(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return (await this.#read()).map(({ item }) => item)
  }

  async #read(): Promise<readonly { table: string; item: Readonly<Record<string, unknown>> }[]> {
    const documents = DynamoDBDocumentClient.from(this.#emulator.client)
    const lists = this.#assembly.tables.map(async ({ input: { TableName: table } }) => {
      const { Items = [], LastEvaluatedKey } = await documents.send(new ScanCommand({ TableName: table }))
      if (LastEvaluatedKey !== undefined) throw new Error('The table is larger than one page.')
      return Items.map((item) => ({ table, item }))
    })
    return (await Promise.all(lists)).flat()
  }

  async #change(
    change: (item: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> | null,
  ): Promise<void> {
    const documents = DynamoDBDocumentClient.from(this.#emulator.client)
    for (const { table, item } of await this.#read()) {
      const changed = change(item)
      if (changed !== null) await documents.send(new PutCommand({ TableName: table, Item: changed }))
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#gateway?.close()
    await this.#management?.close()
    await this.#front?.close()
    await this.lambda.close()
    await Promise.all(this.#ticking)
    await this.recorder.close()
    await this.ssm.close()
    await this.#emulator.close()
  }

  async #openApis(): Promise<void> {
    for (const api of this.#assembly.apis) {
      const { region, urlSuffix } = PRETENDED
      const host = `${api.id}.execute-api.${region}.${urlSuffix}`
      if (api.protocol === 'HTTP') {
        this.#front = await startHttpFront({
          api,
          callers: [OPERATOR],
          invoke: ({ functionArn, key }, event) =>
            this.#invokeBy(api, functionArn, routeSource(api, key), event),
        })
        this.#addresses.set(`https://${host}`, this.#front.url)
      } else {
        const management = await startManagement()
        this.#management = management
        this.#gateway = await this.#openSocketApi(api, management)
        const recorded = await this.recorder.open(
          management.endpoint,
          readManagementRequest(api.id),
          management.accessKeyId,
        )
        this.#addresses.set(`https://${host}`, recorded)
        this.#addresses.set(`wss://${host}/${api.stage}`, this.#gateway.url)
      }
    }
  }

  async #openSocketApi(api: DeclaredApi, management: LocalManagement): Promise<LocalGateway> {
    const routeOf = (key: string) => {
      const route = api.routes.find((one) => one.key === key)
      if (route === undefined) throw new Error(`The WebSocket API has no route ${key}.`)
      return route
    }
    const { authorizer } = routeOf('$connect')
    if (authorizer.kind !== 'request')
      throw new Error('The WebSocket API lets everybody in: $connect has no authorizer.')
    return startGateway({
      host: '127.0.0.1',
      port: 0,
      log: createLog((entry) => this.gatewayEvents.push(entry)),
      management,
      authorize: async (event) => {
        const methodArn = executeArn(api, `${api.stage}/$connect`)
        const source = executeArn(api, `authorizers/${authorizer.id}`)
        const decision = await this.#invokeBy(api, authorizer.functionArn, source, { ...event, methodArn })
        return decision as APIGatewayAuthorizerResult
      },
      handle: async (event) => {
        const { routeKey } = event.requestContext
        const context = { ...event.requestContext, apiId: api.id, stage: api.stage }
        const { functionArn } = routeOf(routeKey)
        const answer = await this.#invokeBy(api, functionArn, executeArn(api, `${api.stage}/${routeKey}`), {
          ...event,
          requestContext: context,
        })
        return z.looseObject({ statusCode: z.number() }).parse(answer)
      },
    })
  }

  /** Invokes for API Gateway, which the function's own policy must let in. */
  async #invokeBy(
    api: DeclaredApi,
    functionArn: string,
    sourceArn: string,
    event: unknown,
  ): Promise<unknown> {
    const permission = this.#assembly.permissions.find(
      (one) =>
        one.functionArn === functionArn &&
        one.principal === 'apigateway.amazonaws.com' &&
        one.sourceArn !== null &&
        isLike(one.sourceArn, sourceArn),
    )
    if (permission === undefined)
      throw new Error(`The policy of ${functionArn} doesn't let ${sourceArn} in (API ${api.id}).`)
    this.usedPermissions.add(permission)
    return this.lambda.invoke(functionArn, event)
  }

  /** Parameters that the stacks bring with their values. */
  #declareParameters(): void {
    for (const properties of this.#assembly.propertiesOf('AWS::SSM::Parameter')) {
      const { Name, Value } = z.looseObject({ Name: z.string(), Value: z.string() }).parse(properties)
      this.ssm.put(Name, translate(this.#addresses, Value))
    }
  }
}

/** What the scheduler sends, unless the schedule says otherwise. */
function eventOf({ arn, input }: DeclaredSchedule): unknown {
  if (input !== undefined) return input
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.scheduler',
    account: PRETENDED.account,
    time: `${new Date().toISOString().slice(0, 19)}Z`,
    region: PRETENDED.region,
    resources: [arn],
    detail: '{}',
  }
}

function translate(addresses: ReadonlyMap<string, string>, value: string): string {
  return [...addresses].reduce((text, [from, to]) => text.replaceAll(from, to), value)
}

/** The longest prefix of the API's stage and route, as API Gateway names what it invokes for. */
function routeSource(api: DeclaredApi, key: string): string {
  const [method = '', path = ''] = key.split(' ')
  return executeArn(api, `${api.stage}/${method === 'ANY' ? '*' : method}${path}`)
}

function executeArn(api: DeclaredApi, rest: string): string {
  const { partition, region, account } = PRETENDED
  return `arn:${partition}:execute-api:${region}:${account}:${api.id}/${rest}`
}

function sdkEnv(
  accessKeyId: string,
  endpoints: { dynamodb: string; ssm: string },
): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: 'pretended-secret-key',
    AWS_SESSION_TOKEN: 'pretended-session-token',
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SSM: endpoints.ssm,
  }
}

/** A role's temporary key names the role, for the recorder. */
function accessKeyOf(roleArn: string): string {
  return `ASIA${createHash('sha256').update(roleArn).digest('hex').slice(0, 16).toUpperCase()}`
}

function roleOf({ roles }: Assembly, accessKeyId: string): string {
  const role = roles.find(({ arn }) => accessKeyOf(arn) === accessKeyId)
  if (role !== undefined) return role.arn
  if (accessKeyId === OPERATOR.accessKeyId) return OPERATOR.userArn
  throw new Error(`Nobody has the access key ${accessKeyId}.`)
}

/** Numbers above this are times: what else is counted stays far below. */
const FIRST_TIME = 1e12

function aged(item: Readonly<Record<string, unknown>>, ms: number): Readonly<Record<string, unknown>> {
  const older = (value: unknown): unknown => {
    if (typeof value === 'number' && value > FIRST_TIME) return value - ms
    if (Array.isArray(value)) return value.map(older)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, older(one)]))
  }
  const { changedAt, ...rest } = Object.fromEntries(
    Object.entries(item).map(([name, value]) => [name, older(value)]),
  )
  if (typeof changedAt !== 'string') return rest
  return { ...rest, changedAt: `${sortableTime(timeOf(changedAt) - ms)}${changedAt.slice(15)}` }
}
