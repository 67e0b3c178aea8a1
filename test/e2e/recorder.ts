import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Exchange {
  readonly method: string
  /** Without the prefix. */
  readonly path: string
  readonly sentAt: number
  /** What was asked, as far as it has come. */
  body: string
  /** 0 while there is no answer, or when the connection was cut instead. */
  status: number
  answeredAt: number
}

/** A server below a path prefix that passes everything on, and remembers it. */
export interface Recorder {
  /** With the prefix, and no slash at its end. */
  readonly url: string
  readonly exchanges: readonly Exchange[]
  /** Every token of the protocol that crossed, in either direction. */
  readonly tokens: ReadonlySet<string>
  close(): Promise<void>
}

const TOKEN = /\bsf_[a-z]+_[\w-]{43}/g

/** `prefix` has a leading slash; everything outside of it is 404 as from a web server that knows nothing of us. */
export async function startRecorder(target: string, prefix: string, host = '127.0.0.1'): Promise<Recorder> {
  const exchanges: Exchange[] = []
  const tokens = new Set<string>()
  const note = (text: string): void => {
    for (const [token] of text.matchAll(TOKEN)) tokens.add(token)
  }
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request
    if (!url.startsWith(`${prefix}/`)) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>')
      return
    }
    const path = url.slice(prefix.length)
    const exchange = { method, path, sentAt: Date.now(), body: '', status: 0, answeredAt: 0 }
    exchanges.push(exchange)
    note(request.headers.authorization ?? '')
    passOn(target, exchange, request, response, note)
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port))
  })
  return {
    url: `http://${host}:${port}${prefix}`,
    exchanges,
    tokens,
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function passOn(
  target: string,
  exchange: Exchange,
  request: IncomingMessage,
  response: ServerResponse,
  note: (text: string) => void,
): void {
  const { method } = request
  const { host: _host, connection: _connection, ...headers } = request.headers
  const onward = httpRequest(`${target}${exchange.path}`, { method, headers, agent: false })
  const cut = (): void => void request.socket.destroy()
  onward.on('response', (answer) => {
    exchange.status = answer.statusCode ?? 0
    exchange.answeredAt = Date.now()
    const { connection: _hop, 'transfer-encoding': _coding, ...kept } = answer.headers
    response.writeHead(exchange.status, kept)
    answer.on('data', (chunk: Buffer) => {
      note(chunk.toString('utf8'))
      response.write(chunk)
    })
    answer.on('end', () => response.end())
    answer.on('aborted', cut)
    answer.on('error', cut)
  })
  onward.on('error', cut)
  response.on('close', () => onward.destroy())
  request.on('data', (chunk: Buffer) => {
    exchange.body += chunk.toString('utf8')
    note(chunk.toString('utf8'))
  })
  request.pipe(onward)
}
