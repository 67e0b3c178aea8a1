import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import type { IamRequest } from './iam.ts'
import { PRETENDED } from './intrinsics.ts'
import type { Assembly } from './template.ts'

/** One request to AWS that was let through, as IAM would judge it. */
export interface RecordedCall extends IamRequest {
  /** Whose credentials it was signed with. */
  readonly roleArn: string
  readonly status: number
  readonly requestText: string
}

export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly target: string
  readonly body: string
}

/** What a request of one service asks for: several things for batches. */
export type ReadRequest = (request: WireRequest) => readonly IamRequest[]

/** Loopback ways to AWS's services that remember who asked for what. */
export class WireRecorder {
  readonly calls: RecordedCall[] = []
  /** Bytes of the service's answers that came back to each role: a secret must reach nobody else. */
  readonly answers: { readonly roleArn: string; readonly text: string }[] = []
  readonly #roleOf: (accessKeyId: string) => string
  readonly #servers: Server[] = []
  readonly #agent = new Agent({ keepAlive: true })

  constructor(roleOf: (accessKeyId: string) => string) {
    this.#roleOf = roleOf
  }

  /** Resolves with the address that stands for `target`. `accessKeyId` replaces the caller's on the way. */
  async open(target: string, read: ReadRequest, accessKeyId?: string): Promise<string> {
    const server = createServer((request, response) => {
      this.#pass(target, read, accessKeyId, request, response).catch((cause: unknown) => {
        response.writeHead(500, { 'content-type': 'text/plain' }).end(String(cause))
      })
    })
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** What a service does on a role's behalf: it never comes by here. */
  note(roleArn: string, request: IamRequest): void {
    this.calls.push({ ...request, roleArn, status: 200, requestText: '' })
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    await Promise.all(
      this.#servers.map(async (server) => {
        server.closeAllConnections()
        await new Promise((resolve) => {
          server.close(resolve)
        })
      }),
    )
  }

  async #pass(
    target: string,
    read: ReadRequest,
    accessKeyId: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await bytesOf(request)
    const authorization = request.headers.authorization ?? ''
    const given = /Credential=([^/]+)\//.exec(authorization)?.[1]
    if (given === undefined) throw new Error(`A request to ${target} is not signed.`)
    const roleArn = this.#roleOf(given)
    const headers = { ...request.headers }
    delete headers.host
    if (accessKeyId !== undefined)
      headers.authorization = authorization.replace(`Credential=${given}/`, `Credential=${accessKeyId}/`)
    const answer = await this.#ask(`${target}${request.url}`, request.method ?? '', headers, body)
    const requestText = body.toString('utf8')
    const wanted = read({
      method: request.method ?? '',
      path: request.url ?? '',
      target: String(request.headers['x-amz-target'] ?? ''),
      body: requestText,
    })
    const { status, bytes } = answer
    for (const one of wanted) this.calls.push({ ...one, roleArn, status, requestText })
    this.answers.push({ roleArn, text: bytes.toString('utf8') })
    response.writeHead(status, answer.headers).end(bytes)
  }

  #ask(
    url: string,
    method: string,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingMessage['headers']; bytes: Buffer }> {
    return new Promise((resolve, reject) => {
      const onward = httpRequest(url, { method, headers, agent: this.#agent }, (answer) => {
        const { connection: _hop, 'transfer-encoding': _coding, ...kept } = answer.headers
        bytesOf(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: kept, bytes }),
          reject,
        )
      })
      onward.on('error', reject)
      onward.end(body)
    })
  }
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** What every call carries. */
const COMMON = {
  'aws:RequestedRegion': PRETENDED.region,
  'aws:PrincipalAccount': PRETENDED.account,
  'aws:ResourceAccount': PRETENDED.account,
  'aws:SecureTransport': 'true',
}

/** The condition keys that recorded calls have: a policy that looks at others could not be judged. */
export const RECORDED_KEYS = [
  ...Object.keys(COMMON),
  'dynamodb:LeadingKeys',
  'dynamodb:Select',
  'dynamodb:ReturnValues',
]

const AttributeValue = z.record(z.string(), z.unknown())
const Item = z.record(z.string(), AttributeValue)
const DynamoBody = z.looseObject({
  TableName: z.string(),
  IndexName: z.string().optional(),
  Key: Item.optional(),
  Item: Item.optional(),
  KeyConditionExpression: z.string().optional(),
  ExpressionAttributeNames: z.record(z.string(), z.string()).default({}),
  ExpressionAttributeValues: Item.default({}),
  Select: z.string().optional(),
  ReturnValues: z.string().optional(),
})

const Batch = z.looseObject({ RequestItems: z.record(z.string(), z.looseObject({ Keys: z.array(Item) })) })

/** DynamoDB's JSON protocol. Throws for batches of writes and for transactions, which the hub doesn't use. */
export function readDynamoRequest(tables: Assembly['tables']): ReadRequest {
  return ({ target, body }) => {
    const action = `dynamodb:${target.split('.')[1] ?? ''}`
    const json: unknown = JSON.parse(body)
    const batch = Batch.safeParse(json)
    if (!batch.success) return [oneTable(tables, action, DynamoBody.parse(json))]
    return Object.entries(batch.data.RequestItems).map(([name, { Keys }]) => {
      const { arn, hashKey } = find(tables, name)
      const keys = Keys.flatMap((key) => valueOf(key[hashKey]) ?? [])
      return { action, resource: arn, context: { ...COMMON, 'dynamodb:LeadingKeys': keys } }
    })
  }
}

function oneTable(tables: Assembly['tables'], action: string, asked: z.infer<typeof DynamoBody>): IamRequest {
  const { arn, hashKey } = find(tables, asked.TableName, asked.IndexName)
  const leading = valueOf(asked.Key?.[hashKey] ?? asked.Item?.[hashKey] ?? queriedKey(asked, hashKey))
  const { IndexName, Select, ReturnValues } = asked
  return {
    action,
    resource: IndexName === undefined ? arn : `${arn}/index/${IndexName}`,
    context: {
      ...COMMON,
      ...(leading === null ? {} : { 'dynamodb:LeadingKeys': [leading] }),
      ...(Select === undefined ? {} : { 'dynamodb:Select': Select }),
      ...(ReturnValues === undefined ? {} : { 'dynamodb:ReturnValues': ReturnValues }),
    },
  }
}

function find(
  tables: Assembly['tables'],
  name: string,
  indexName?: string,
): { arn: string; hashKey: string } {
  const table = tables.find(({ input }) => input.TableName === name)
  if (table === undefined) throw new Error(`A call to a table that no stack declares: ${name}.`)
  const index = table.input.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === indexName)
  const schema = index?.KeySchema ?? table.input.KeySchema
  const hashKey = schema?.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName
  if (hashKey === undefined) throw new Error(`The table ${name} has no hash key.`)
  return { arn: table.arn, hashKey }
}

function valueOf(value: z.infer<typeof AttributeValue> | undefined): string | null {
  return value === undefined ? null : String(Object.values(value)[0])
}

function queriedKey(
  asked: z.infer<typeof DynamoBody>,
  hashKey: string,
): z.infer<typeof AttributeValue> | undefined {
  const equalities = [...(asked.KeyConditionExpression ?? '').matchAll(/([#\w]+)\s*=\s*(:\w+)/g)]
  const found = equalities.find(([, name = '']) => (asked.ExpressionAttributeNames[name] ?? name) === hashKey)
  return found?.[2] === undefined ? undefined : asked.ExpressionAttributeValues[found[2]]
}

export const readSsmRequest: ReadRequest = ({ target, body }) => {
  const { Name } = z.looseObject({ Name: z.string() }).parse(JSON.parse(body))
  const path = Name.startsWith('/') ? Name : `/${Name}`
  const resource = `arn:${PRETENDED.partition}:ssm:${PRETENDED.region}:${PRETENDED.account}:parameter${path}`
  return [{ action: `ssm:${target.split('.')[1] ?? ''}`, resource, context: COMMON }]
}

/** The connection management API of one WebSocket API. */
export function readManagementRequest(apiId: string): ReadRequest {
  return ({ method, path }) => {
    const { partition, region, account } = PRETENDED
    const [stage = '', ...rest] = path.slice(1).split('/')
    const resource = `arn:${partition}:execute-api:${region}:${account}:${apiId}/${stage}/${method}/${rest.join('/')}`
    return [{ action: 'execute-api:ManageConnections', resource, context: COMMON }]
  }
}

/** What Lambda does with a function's own role: it writes what the function prints. */
export function logRequests(logGroup: string): readonly IamRequest[] {
  const { partition, region, account } = PRETENDED
  const resource = `arn:${partition}:logs:${region}:${account}:log-group:${logGroup}:log-stream:recorded`
  return ['logs:CreateLogStream', 'logs:PutLogEvents'].map((action) => ({
    action,
    resource,
    context: COMMON,
  }))
}

/** A service that takes a role on to invoke a function. */
export function invokeRequest(functionArn: string): IamRequest {
  return { action: 'lambda:InvokeFunction', resource: functionArn, context: COMMON }
}
