import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What goes wrong with a request. `status` and `hang` and `refuse` never reach the server; the others do, so what
 * the server did stays done.
 */
export type Fault =
  | { kind: 'status'; status: number; code?: string; headers?: Record<string, string> }
  /** No answer, until the client gives up or the proxy closes. */
  | { kind: 'hang' }
  /** The connection is cut before the server sees the request. */
  | { kind: 'refuse' }
  /** The server's answer is withheld and the connection cut. */
  | { kind: 'lost-reply' }
  /** The server's headers and the first half of its body, then the connection is cut. */
  | { kind: 'truncate' }
  /** The server's answer comes this much later. */
  | { kind: 'delay'; delayMs: number }

export type FaultRule = {
  fault: Fault
  method?: string
  /** Matched against the path with its query; absent: every path. */
  path?: RegExp
  /** How many requests it hits before it is spent; absent: all. */
  times?: number
}

export type ProxiedRequest = { method: string; path: string; fault: Fault['kind'] | null }

/** A proxy in front of a server that makes the faults happen which a test asks for. */
export type FaultProxy = {
  url: string
  /** The first rule that matches and is not spent decides. */
  inject(rule: FaultRule): void
  /** Forgets all rules; requests that hang go on hanging. */
  clear(): void
  /** Every request seen, oldest first. */
  requests: readonly ProxiedRequest[]
  close(): Promise<void>
}

export async function startFaultProxy(targetUrl: string, host = '127.0.0.1'): Promise<FaultProxy> {
  let rules: { rule: FaultRule; left: number }[] = []
  const requests: ProxiedRequest[] = []
  const server = createServer((request, response) => {
    const { method = '', url: path = '/' } = request
    const hit = rules.find(({ rule, left }) => left > 0 && matches(rule, method, path))
    if (hit !== undefined) hit.left -= 1
    const fault = hit?.rule.fault ?? null
    requests.push({ method, path, fault: fault?.kind ?? null })
    serve(targetUrl, fault, request, response)
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    inject: (rule) => void rules.push({ rule, left: rule.times ?? Infinity }),
    clear: () => {
      rules = []
    },
    close: () => closeServer(server),
  }
}

function matches(rule: FaultRule, method: string, path: string): boolean {
  return (
    (rule.method === undefined || rule.method === method) && (rule.path === undefined || rule.path.test(path))
  )
}

function serve(
  targetUrl: string,
  fault: Fault | null,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault?.kind === 'hang') return void request.resume()
  if (fault?.kind === 'refuse') return void request.socket.destroy()
  if (fault?.kind === 'status') return answerStatus(fault, request, response)
  forward(targetUrl, request, response, (status, headers, body) => {
    const send = (): void => void response.writeHead(status, headers).end(body)
    if (fault?.kind === 'lost-reply') request.socket.destroy()
    else if (fault?.kind === 'truncate') truncate(status, headers, body, response)
    else if (fault?.kind === 'delay') setTimeout(send, fault.delayMs)
    else send()
  })
}

function answerStatus(
  fault: Extract<Fault, { kind: 'status' }>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  request.resume()
  request.on('end', () => {
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers })
    response.end(JSON.stringify({ code: fault.code ?? 'server-error' }))
  })
}

function truncate(
  status: number,
  headers: Record<string, string>,
  body: Buffer,
  response: ServerResponse,
): void {
  response.writeHead(status, { ...headers, 'content-length': String(body.length) })
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.socket?.destroy())
}

/** Sends the request on and hands over the whole answer; a client that goes away takes the onward request along. */
function forward(
  targetUrl: string,
  request: IncomingMessage,
  response: ServerResponse,
  then: (status: number, headers: Record<string, string>, body: Buffer) => void,
): void {
  const { host: _host, connection: _connection, ...headers } = request.headers
  const onward = httpRequest(`${targetUrl}${request.url ?? '/'}`, {
    method: request.method,
    headers,
    agent: false,
  })
  onward.on('response', (answer) => {
    const chunks: Buffer[] = []
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => {
      const kept = ['content-type', 'retry-after'].flatMap((name) => {
        const value = answer.headers[name]
        return typeof value === 'string' ? [[name, value]] : []
      })
      then(answer.statusCode ?? 0, Object.fromEntries(kept) as Record<string, string>, Buffer.concat(chunks))
    })
  })
  onward.on('error', () => request.socket.destroy())
  response.on('close', () => onward.destroy())
  request.pipe(onward)
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
