import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '../../core/ports/index.ts'
import { errnoOf } from '../../platform/errno.ts'

/** Five times the size of a reconcile answer for 5,000 runners. */
export const ANSWER_MAX_BYTES = 16 * 1024 * 1024
/**
 * A socket that was idle for longer is closed, not reused: many servers (Node's too) close idle sockets after 5 s, and a
 * process that was frozen meanwhile has not noticed. A lost poll or mint costs a whole reservation.
 */
export const SOCKET_IDLE_MAX_MS = 4_000
/** Idle connections kept open: one poll, one report and ten attachments run concurrently. */
const FREE_SOCKETS_MAX = 16

export interface HttpCall {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** For the whole call, from the DNS lookup to the last byte of the answer. */
  readonly deadlineMs: number
  /** True: uses a new connection and closes it afterwards. */
  readonly freshConnection: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  readonly header: (name: string) => string | null
}

/** Failure codes of this file; all others are Node's (`ECONNREFUSED`, …). */
export type OwnFailureCode = 'deadline' | 'aborted' | 'answer-too-large' | 'answer-cut'

/**
 * A call without a complete answer. It has no `cause`, because Node's errors may contain parts of the request or answer
 * (a parse error has the raw packet), and so the token.
 */
export class HttpFailure extends Error {
  readonly code: string
  /** False: no byte of the request was sent, so it had no effect. */
  readonly sent: boolean
  /** It failed on a reused connection, which the other side may have closed before. */
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
  /** Resolves with a complete answer of any status; follows no redirects. Throws only `HttpFailure`. */
  send(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer>
}

/** Uses node:http, because fetch does not tell whether bytes were sent and whether the connection was reused. */
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
      if (request.socket !== null) idleSockets.markIdle(request.socket)
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
    throw new HttpFailure(errnoOf(progress.firstError ?? thrown) ?? 'unknown', {
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
  /** A broken connection may emit several errors; the first one is the cause. */
  firstError: unknown
}

/** A request counts as sent once its connection is open: from then on it is unknown how much arrived. */
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

/** Returns a function that removes the timer and the listener, so that nothing fires after the call. */
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

/** Tracks how long each kept connection has been idle. */
class IdleSockets {
  readonly #agent: http.Agent
  readonly #clock: Clock
  readonly #since = new WeakMap<Socket, { wallMs: number; monotonicMs: number }>()

  constructor(agent: http.Agent, clock: Clock) {
    this.#agent = agent
    this.#clock = clock
  }

  markIdle(socket: Socket): void {
    this.#since.set(socket, { wallMs: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() })
  }

  dropStale(): void {
    for (const socket of Object.values(this.#agent.freeSockets).flatMap((sockets) => sockets ?? []))
      if (this.#idleMs(socket) > SOCKET_IDLE_MAX_MS) socket.destroy()
  }

  /** The longer time of both clocks: the monotonic clock stops in a suspended machine, the wall clock may be set. */
  #idleMs(socket: Socket): number {
    const since = this.#since.get(socket)
    if (since === undefined) return Infinity
    return Math.max(this.#clock.now() - since.wallMs, this.#clock.monotonicMs() - since.monotonicMs)
  }
}
