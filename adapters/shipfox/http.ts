import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '../../core/ports/index.ts'

/** A reconcile answer of 5,000 runners has about 3 MB; five times that is no answer any more. */
export const ANSWER_MAX_BYTES = 16 * 1024 * 1024
/**
 * A kept socket that idled longer is thrown away instead of used: many servers (Node's own too) close theirs after
 * 5 s, and a process that was frozen meanwhile has not heard of it. A lost poll or mint costs a whole reservation.
 */
export const SOCKET_IDLE_MAX_MS = 4_000
/** Connections kept open while idle: one poll, one report and ten attachments run side by side. */
const FREE_SOCKETS_MAX = 16

export interface HttpCall {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** The whole call, from looking the host up to the last byte of the answer. */
  readonly deadlineMs: number
  /** Opens a connection of its own, which is closed afterwards. */
  readonly freshConnection: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  readonly header: (name: string) => string | null
}

/** Codes of failures that this file makes itself; all others are Node's (`ECONNREFUSED`, …). */
export type OwnFailureCode = 'deadline' | 'aborted' | 'answer-too-large' | 'answer-cut'

/**
 * A call that brought no complete answer. It holds nothing of the request or the answer, because Node's own errors
 * can (a parse error carries the raw packet), and those might echo the token.
 */
export class HttpFailure extends Error {
  readonly code: string
  /** False: surely no byte of the request left, so it had no effect. */
  readonly sent: boolean
  /** It failed on a kept connection, which the other side may have closed long ago. */
  readonly reusedSocket: boolean

  constructor(code: string, facts: { sent: boolean; reusedSocket: boolean }) {
    super(`${code} ${facts.sent ? 'after the request was sent' : 'before the request was sent'}`)
    this.name = 'HttpFailure'
    this.code = code
    this.sent = facts.sent
    this.reusedSocket = facts.reusedSocket
  }
}

export interface HttpClient {
  /** Follows no redirect. Throws `HttpFailure`, nothing else, unless an answer of any status came completely. */
  send(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer>
}

/** node:http rather than fetch: it tells whether a byte was sent, and on a used connection or a new one. */
export function createHttpClient(scheme: 'http:' | 'https:', clock: Clock): HttpClient {
  const transport = scheme === 'https:' ? https : http
  const agent = new transport.Agent({ keepAlive: true, maxFreeSockets: FREE_SOCKETS_MAX })
  const idleSockets = new IdleSockets(agent, clock)
  return {
    async send(call, signal) {
      if (signal.aborted) throw new HttpFailure('aborted', { sent: false, reusedSocket: false })
      idleSockets.dropStale()
      const request = transport.request(call.url, {
        method: call.method,
        headers: call.headers,
        agent: call.freshConnection ? false : agent,
      })
      const answer = await exchange(request, call, signal)
      if (request.socket !== null) idleSockets.restsFromNow(request.socket)
      return answer
    },
  }
}

async function exchange(
  request: http.ClientRequest,
  call: HttpCall,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const progress = watchSending(request)
  let open: http.ClientRequest | http.IncomingMessage = request
  const disarm = armDeadline(call.deadlineMs, signal, (code) => open.destroy(new OwnFailure(code)))
  try {
    request.end(call.body ?? undefined)
    const response = await responseTo(request)
    open = response
    const text = await readText(response)
    return {
      status: response.statusCode ?? 0,
      text,
      header: (name) => [response.headers[name]].flat()[0] ?? null,
    }
  } catch (thrown) {
    throw new HttpFailure(codeOf(progress.firstError ?? thrown), {
      sent: progress.sent,
      reusedSocket: request.reusedSocket,
    })
  } finally {
    disarm()
  }
}

class OwnFailure extends Error {
  readonly code: OwnFailureCode

  constructor(code: OwnFailureCode) {
    super(code)
    this.code = code
  }
}

interface Progress {
  sent: boolean
  /** Of several errors of one broken connection the first tells why. */
  firstError: unknown
}

/** A request counts as sent as soon as its connection stands: from there on nobody can tell how far it went. */
function watchSending(request: http.ClientRequest): Progress {
  const progress: Progress = { sent: false, firstError: undefined }
  request.on('error', (error) => {
    progress.firstError ??= error
  })
  request.once('socket', (socket) => {
    const ready = request.protocol === 'https:' ? 'secureConnect' : 'connect'
    if (request.reusedSocket || !socket.connecting) progress.sent = true
    else socket.once(ready, () => (progress.sent = true))
  })
  return progress
}

/** One timer that is always taken down again, so that nothing fires after the call has returned. */
function armDeadline(ms: number, signal: AbortSignal, end: (code: OwnFailureCode) => void): () => void {
  const onAbort = (): void => end('aborted')
  const timer = setTimeout(() => end('deadline'), ms)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function responseTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
  })
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > ANSWER_MAX_BYTES) throw new OwnFailure('answer-too-large')
    chunks.push(chunk)
  }
  if (!response.complete) throw new OwnFailure('answer-cut')
  return Buffer.concat(chunks).toString('utf8')
}

function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null
  return typeof code === 'string' ? code : 'unknown'
}

/** Knows how long each kept connection has been idle. */
class IdleSockets {
  readonly #agent: http.Agent
  readonly #clock: Clock
  readonly #since = new WeakMap<Socket, { wallMs: number; monotonicMs: number }>()

  constructor(agent: http.Agent, clock: Clock) {
    this.#agent = agent
    this.#clock = clock
  }

  restsFromNow(socket: Socket): void {
    this.#since.set(socket, { wallMs: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() })
  }

  dropStale(): void {
    for (const socket of Object.values(this.#agent.freeSockets).flatMap((sockets) => sockets ?? []))
      if (this.#idleMs(socket) > SOCKET_IDLE_MAX_MS) socket.destroy()
  }

  /** The longer of both clocks: the monotonic one may stand still in a frozen machine, the other may be set. */
  #idleMs(socket: Socket): number {
    const since = this.#since.get(socket)
    if (since === undefined) return Infinity
    return Math.max(this.#clock.now() - since.wallMs, this.#clock.monotonicMs() - since.monotonicMs)
  }
}
