import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpApiEvent, HttpApiResult } from '../../lambdas/http-api/event.ts'

export interface Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/** An HTTP API as API Gateway fronts it, with IAM authorization: every signature is computed anew and compared. */
export interface SignedServer {
  readonly url: string
  /** Added to the time that answers tell. */
  skewMs: number
  /** How each request ended, by its path. */
  readonly seen: { readonly path: string; readonly status: number }[]
  close(): Promise<void>
}

export async function startSignedServer(
  key: Key,
  handle: (event: HttpApiEvent) => Promise<HttpApiResult>,
): Promise<SignedServer> {
  const server = createServer((request, response) => {
    const finish = (status: number, headers: Readonly<Record<string, string>>, body: string): void => {
      opened.seen.push({ path: request.url ?? '', status })
      const date = new Date(Date.now() + opened.skewMs).toUTCString()
      response.writeHead(status, { ...headers, date }).end(body)
    }
    serve(key, request, handle).then(
      ({ statusCode, headers, body }) => finish(statusCode, headers, body),
      (thrown: unknown) => finish(500, {}, JSON.stringify({ message: String(thrown) })),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const opened: SignedServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    skewMs: 0,
    seen: [],
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return opened
}

async function serve(
  key: Key,
  request: IncomingMessage,
  handle: (event: HttpApiEvent) => Promise<HttpApiResult>,
): Promise<HttpApiResult> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const body = Buffer.concat(chunks).toString('utf8')
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
  const isPublic = pathname === '/health'
  if (!isPublic && !isSigned(key, request, body))
    return { statusCode: 403, headers: {}, body: JSON.stringify({ message: 'Forbidden' }) }
  return handle({
    rawPath: pathname,
    rawQueryString: search.replace(/^\?/, ''),
    body,
    isBase64Encoded: false,
    requestContext: {
      requestId: 'r',
      http: { method: request.method ?? '' },
      ...(isPublic ? {} : { authorizer: { iam: { userArn: 'arn:aws:iam::111122223333:user/ann' } } }),
    },
  })
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=(?<id>\w+)\/(?<scope>[^,]+), SignedHeaders=(?<names>[^,]+), Signature=(?<signature>[0-9a-f]{64})$/

/** As the documentation of Signature Version 4 has it, from the request as it came over the wire. */
function isSigned(key: Key, request: IncomingMessage, body: string): boolean {
  const parts = AUTHORIZATION.exec(request.headers.authorization ?? '')?.groups
  if (parts === undefined || parts['id'] !== key.accessKeyId) return false
  const time = String(request.headers['x-amz-date'])
  const date = time.slice(0, 8)
  const scope = `${date}/${key.region}/execute-api/aws4_request`
  if (parts['scope'] !== scope) return false
  const names = (parts['names'] ?? '').split(';')
  if (!names.includes('host') || !names.includes('x-amz-date')) return false
  const url = new URL(request.url ?? '/', 'http://localhost')
  const query = [...url.searchParams]
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .toSorted()
    .join('&')
  const canonical = [
    request.method,
    url.pathname.split('/').map(escaped).join('/'),
    query,
    ...names.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const signingKey = [date, key.region, 'execute-api', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  )
  return createHmac('sha256', signingKey).update(text).digest('hex') === parts['signature']
}

function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
