import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** One request as a rule sees it. */
export interface Asked {
  /** `METHOD /path?query` */
  readonly line: string
  readonly body: string
}

/**
 * What happens to a request. The first three never reach the server; the others do, so what the server did stays done.
 *
 * - `refuse`: the connection is cut at once
 * - `hang`: no answer, ever
 * - `hold`: passed on once released, even when the asker has given up meanwhile
 * - `swallow`: passed on; the answer is thrown away and the asker waits
 * - `lose`: passed on; the connection is cut in place of the answer
 * - `keep`: passed on; the answer comes once released
 */
export type Fault =
  | 'refuse'
  | 'hang'
  | 'hold'
  | 'swallow'
  | 'lose'
  | 'keep'
  | { readonly status: number; readonly body: object }

export interface Rule {
  readonly on: RegExp | ((asked: Asked) => boolean)
  readonly fault: Fault
  /** How many requests it hits before it is spent; absent: all. */
  readonly times?: number
}

/** A rule at work. */
export interface Injected {
  /** The requests that it hit, oldest first. */
  readonly caught: readonly Asked[]
  /** How many of them the server has begun to answer. */
  readonly answered: number
  /** Lets go of what it holds, and hits no more. */
  release(): void
}

interface Live {
  readonly rule: Rule
  readonly caught: Asked[]
  answered: number
  over: boolean
  readonly released: Promise<void>
  readonly open: () => void
}

export interface HttpProxyOptions {
  /** Where the server is. */
  readonly target: Pick<RequestOptions, 'socketPath' | 'host' | 'port'>
  /** A path of a socket, or a free port of this address. */
  readonly listenOn: { readonly path: string } | { readonly host: string }
  /** Hears of each request that the server has answered, with its body unless that is a stream. */
  readonly onAnswer?: (asked: Asked, status: number, body: string) => void
}

/** Between a client and a server that speak HTTP: passes everything on, but for the faults that a test asks for. */
export class HttpProxy {
  /** Every request seen, oldest first. */
  readonly requests: string[] = []
  readonly #options: HttpProxyOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #rules: Live[] = []

  static async open(options: HttpProxyOptions): Promise<HttpProxy> {
    const proxy = new HttpProxy(options)
    await proxy.listen()
    return proxy
  }

  private constructor(options: HttpProxyOptions) {
    this.#options = options
    this.#server = createServer((request, response) => void this.#serve(request, response))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  inject(rule: Rule): Injected {
    const { promise, resolve } = Promise.withResolvers<void>()
    const live: Live = { rule, caught: [], answered: 0, over: false, released: promise, open: resolve }
    this.#rules.push(live)
    return {
      caught: live.caught,
      get answered() {
        return live.answered
      },
      release: () => {
        live.over = true
        live.open()
        this.#rules = this.#rules.filter((other) => other !== live)
      },
    }
  }

  /** Cuts every connection; new ones are taken as before. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Takes no connection any more, as when the server is stopped. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  async listen(): Promise<void> {
    const { listenOn } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      if ('path' in listenOn) this.#server.listen(listenOn.path, resolve)
      else this.#server.listen(0, listenOn.host, resolve)
    })
  }

  async close(): Promise<void> {
    for (const live of this.#rules) live.over = true
    if (this.#server.listening) await this.refuse()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy())
    const body = await buffer(request).catch(() => null)
    if (body === null) return
    const asked = { line: `${request.method} ${request.url}`, body: body.toString('utf8') }
    this.requests.push(asked.line)
    const live = this.#rules.find((candidate) => hits(candidate, asked)) ?? null
    live?.caught.push(asked)
    const fault = live?.rule.fault ?? null
    if (fault === 'hang') return
    if (fault === 'refuse') return void request.socket.destroy()
    if (fault !== null && typeof fault === 'object') {
      response.writeHead(fault.status, { 'content-type': 'application/json' }).end(JSON.stringify(fault.body))
      return
    }
    if (fault === 'hold') await live?.released
    this.#passOn({ request, response, asked, body }, live)
  }

  #passOn(
    parts: { request: IncomingMessage; response: ServerResponse; asked: Asked; body: Buffer },
    live: Live | null,
  ): void {
    const { request, response, asked, body } = parts
    const { target, onAnswer } = this.#options
    const { method = 'GET', url = '/', headers } = request
    const cut = (): void => void request.socket.destroy()
    const onward = httpRequest({ ...target, agent: false, method, path: url, headers }, (answer) => {
      if (live !== null) live.answered += 1
      answer.on('error', cut)
      hear(answer, (text) => onAnswer?.(asked, answer.statusCode ?? 0, text))
      void answerAs(live, answer, response, cut)
    })
    onward.on('error', cut)
    // What was asked for is done even when nobody waits for it; a stream that nobody reads is not.
    if (method === 'GET') response.on('close', () => onward.destroy())
    onward.end(body)
  }
}

async function answerAs(
  live: Live | null,
  answer: IncomingMessage,
  response: ServerResponse,
  cut: () => void,
): Promise<void> {
  const fault = live?.rule.fault
  if (fault === 'swallow') return
  if (fault === 'lose') return void answer.once('end', cut)
  if (fault === 'keep') {
    const whole = buffer(answer)
    await live?.released
    response.writeHead(answer.statusCode ?? 500, answer.headers).end(await whole)
    return
  }
  response.writeHead(answer.statusCode ?? 500, answer.headers)
  response.flushHeaders()
  answer.once('aborted', cut)
  answer.pipe(response)
}

function hits(live: Live, asked: Asked): boolean {
  const { on, times = Infinity } = live.rule
  if (live.over || live.caught.length >= times) return false
  return on instanceof RegExp ? on.test(asked.line) : on(asked)
}

/** More than this of an answer no test reads; streams go on for ever. */
const CHUNKS_HEARD = 64

function hear(answer: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = []
  answer.on('data', (chunk: Buffer) => {
    if (chunks.length < CHUNKS_HEARD) chunks.push(chunk)
  })
  answer.once('end', () => done(Buffer.concat(chunks).toString('utf8')))
}
