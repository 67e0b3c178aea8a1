import { createHash, createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignatureV4 } from '@smithy/signature-v4'
import * as z from 'zod'
import { PRETENDED } from './intrinsics.ts'
import type { DeclaredApi, DeclaredRoute } from './template.ts'

/** Somebody whom IAM knows. */
export interface Caller {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly userArn: string
}

export interface HttpFrontOptions {
  readonly api: DeclaredApi
  readonly callers: readonly Caller[]
  readonly invoke: (route: DeclaredRoute, event: unknown) => Promise<unknown>
}

export interface HttpFront {
  readonly url: string
  close(): Promise<void>
}

const Answer = z.looseObject({
  statusCode: z.number(),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  body: z.string().default(''),
  isBase64Encoded: z.boolean().default(false),
})

/** An HTTP API on a loopback port: its routes and authorizers as declared, and events of payload format 2.0. */
export async function startHttpFront(options: HttpFrontOptions): Promise<HttpFront> {
  const server = createServer((request, response) => {
    serve(options, request, response).catch(() => refuse(response, 500, 'Internal Server Error'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

async function serve(
  { api, callers, invoke }: HttpFrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const body = Buffer.concat(chunks)
  const url = new URL(request.url ?? '/', 'http://localhost')
  const route = findRoute(api.routes, request.method ?? '', url.pathname)
  if (route === null) return refuse(response, 404, 'Not Found')
  const caller = await identify(callers, request, url, body)
  if (route.authorizer.kind === 'iam' && caller === null) return refuse(response, 403, 'Forbidden')
  if (route.authorizer.kind === 'request')
    throw new Error('A REQUEST authorizer of an HTTP API is not served here.')
  const event = eventOf(api, route, request, url, body, route.authorizer.kind === 'iam' ? caller : null)
  const answer = Answer.parse(await invoke(route, event))
  response.writeHead(answer.statusCode, answer.headers as Record<string, string>)
  response.end(Buffer.from(answer.body, answer.isBase64Encoded ? 'base64' : 'utf8'))
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }))
}

/** The most specific one, as API Gateway chooses: a full path before one with `{proxy+}`. */
export function findRoute(
  routes: readonly DeclaredRoute[],
  method: string,
  path: string,
): DeclaredRoute | null {
  const fitting = routes.filter(({ key }) => {
    const [wanted, pattern = ''] = key.split(' ')
    if (wanted !== 'ANY' && wanted !== method) return false
    const source = pattern
      .split('/')
      .map((part) =>
        /^\{\w+\+\}$/.test(part) ? '.+' : /^\{\w+\}$/.test(part) ? '[^/]+' : part.replaceAll('.', '\\.'),
      )
    return new RegExp(`^${source.join('/')}$`).test(path)
  })
  return (
    fitting.toSorted(
      (left, right) => Number(left.key.includes('+}')) - Number(right.key.includes('+}')),
    )[0] ?? null
  )
}

class Sha256 {
  readonly #hash
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(key))
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest())
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Signs the request again with the secret of whom it names, and compares. Null: nobody, or not truly signed. */
async function identify(
  callers: readonly Caller[],
  request: IncomingMessage,
  url: URL,
  body: Buffer,
): Promise<Caller | null> {
  const authorization = request.headers.authorization ?? ''
  const parts = /Credential=([^/]+)\/\d{8}\/([^/]+)\/execute-api\/aws4_request, ?SignedHeaders=([^,]+)/.exec(
    authorization,
  )
  const [, accessKeyId, region = '', signed = ''] = parts ?? []
  const caller = callers.find((one) => one.accessKeyId === accessKeyId)
  const date = String(request.headers['x-amz-date'] ?? '')
  const instant = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  if (caller === undefined || instant === null) return null
  const [, year, month, day, hours, minutes, seconds] = instant
  const signer = new SignatureV4({ credentials: caller, region, service: 'execute-api', sha256: Sha256 })
  const headers = signed.split(';').map((name) => [name, String(request.headers[name] ?? '')])
  const again = await signer.sign(
    {
      method: request.method ?? '',
      protocol: 'http:',
      hostname: url.hostname,
      path: url.pathname,
      query: queryOf(url),
      headers: Object.fromEntries(headers),
      ...(body.length > 0 && { body }),
    },
    { signingDate: new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`) },
  )
  const signature = (text: string): string | undefined => /Signature=([0-9a-f]{64})$/.exec(text)?.[1]
  const mine = signature(again.headers['authorization'] ?? '')
  return mine !== undefined && mine === signature(authorization) ? caller : null
}

function queryOf(url: URL): Record<string, string[]> {
  const names = new Set(url.searchParams.keys())
  return Object.fromEntries([...names].map((name) => [name, url.searchParams.getAll(name)]))
}

function eventOf(
  api: DeclaredApi,
  route: DeclaredRoute,
  request: IncomingMessage,
  url: URL,
  body: Buffer,
  caller: Caller | null,
): unknown {
  const now = Date.now()
  const proxy = route.key.includes('{proxy+}')
    ? { pathParameters: { proxy: url.pathname.slice(route.key.split(' ')[1]?.indexOf('{') ?? 0) } }
    : {}
  const query = Object.fromEntries(
    Object.entries(queryOf(url)).map(([name, values]) => [name, values.join(',')]),
  )
  return {
    version: '2.0',
    routeKey: route.key,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    ...(url.search === '' ? {} : { queryStringParameters: query }),
    ...proxy,
    requestContext: {
      accountId: PRETENDED.account,
      apiId: api.id,
      domainName: `${api.id}.execute-api.${PRETENDED.region}.${PRETENDED.urlSuffix}`,
      domainPrefix: api.id,
      http: {
        method: request.method,
        path: url.pathname,
        protocol: 'HTTP/1.1',
        sourceIp: '192.0.2.1',
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey: route.key,
      stage: api.stage,
      time: new Date(now).toISOString(),
      timeEpoch: now,
      ...(caller !== null && {
        authorizer: {
          iam: {
            accessKey: caller.accessKeyId,
            accountId: PRETENDED.account,
            callerId: 'AIDAPRETENDED',
            cognitoIdentity: null,
            principalOrgId: '*',
            userArn: caller.userArn,
            userId: 'AIDAPRETENDED',
          },
        },
      }),
    },
    ...(body.length > 0 && { body: body.toString('utf8') }),
    isBase64Encoded: false,
  }
}
