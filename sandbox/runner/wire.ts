import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { codeOf, EXIT, messageOf, RunnerFailure } from './outcome.ts'

/** The longest wait for an assignment in one request. */
export const ASSIGNMENT_WAIT_SECONDS = 10
/** Longer than the longest hold that a request asks for. */
const REQUEST_TIMEOUT_MS = 20_000
/** How long to retry while the server can't be reached: it may be restarting. */
const CONNECT_PATIENCE_MS = 30_000
const RETRY_MS = 500
/** Connection errors after which the server certainly got nothing. */
const NEVER_ARRIVED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

export type Reply = { status: number; body: Record<string, unknown>; retryAfterMs: number }

/** Not imported: importing `node:http` also loads Node's fetch, which doubles the startup time. */
const http = process.getBuiltinModule('node:http')

type Request = {
  method: 'GET' | 'POST'
  path: string
  token: string | null
  body: unknown
  signal?: AbortSignal
}

/** The runner's HTTP client. Each request uses a new connection: a runner sends only five or six. */
export class Wire {
  readonly #baseUrl: URL
  readonly #stop: AbortSignal

  constructor(baseUrl: URL, stop: AbortSignal) {
    this.#baseUrl = baseUrl
    this.#stop = stop
  }

  /** A POST that must succeed. See `must`. */
  post(path: string, token: string | null, body: unknown): Promise<Reply> {
    return this.#must({ method: 'POST', path, token, body })
  }

  /** A GET that must succeed; it claims nothing, so it is aborted when the runner stops. See `must`. */
  get(path: string, token: string): Promise<Reply> {
    return this.#must({ method: 'GET', path, token, body: undefined, signal: this.#stop })
  }

  /** A POST that returns every answer. Throws if there was no answer. */
  async tryPost(path: string, token: string, body: unknown): Promise<Reply> {
    return this.#send({ method: 'POST', path, token, body })
  }

  /**
   * Repeats a request only where the server surely did nothing with it (never connected, or 429): its token may be
   * single-use.
   */
  async #must(request: Request): Promise<Reply> {
    const until = Date.now() + CONNECT_PATIENCE_MS
    for (;;) {
      const reply = await this.#send(request).catch((error: unknown) => {
        if (NEVER_ARRIVED.has(codeOf(error)) && Date.now() < until) return null
        const exitCode = request.signal?.aborted === true ? EXIT.stopped : EXIT.failed
        throw new RunnerFailure(`${request.method} ${request.path} failed: ${messageOf(error)}`, exitCode)
      })
      if (reply !== null && reply.status < 300) return reply
      if (reply !== null && (reply.status !== 429 || Date.now() >= until)) throw refused(request.path, reply)
      await sleep(reply?.retryAfterMs ?? RETRY_MS, this.#stop)
      if (this.#stop.aborted)
        throw new RunnerFailure(
          `${request.path} could not be reached before the runner was stopped.`,
          EXIT.stopped,
        )
    }
  }

  async #send({ method, path, token, body, signal }: Request): Promise<Reply> {
    const { protocol, origin, pathname } = this.#baseUrl
    const content = body === undefined ? '' : JSON.stringify(body)
    const open = protocol === 'https:' ? process.getBuiltinModule('node:https').request : http.request
    const json = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(content === '' ? {} : json),
    }
    const options: RequestOptions = {
      method,
      headers,
      agent: false,
      timeout: REQUEST_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    }
    return replyTo(open(`${origin}${pathname.replace(/\/+$/, '')}${path}`, options), content)
  }
}

export function refused(path: string, { status, body }: Reply): RunnerFailure {
  return new RunnerFailure(`The server refused ${path}: ${status} ${JSON.stringify(body)}`)
}

function replyTo(request: ClientRequest, content: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      let received = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (received += chunk))
      response.on('error', reject)
      response.on('end', () => {
        try {
          resolve(replyFrom(response, received))
        } catch (error) {
          reject(error)
        }
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', reject)
    request.end(content)
  })
}

function replyFrom(response: IncomingMessage, received: string): Reply {
  const body: unknown = received === '' ? {} : JSON.parse(received)
  if (!isObject(body)) throw new RunnerFailure("The server's answer is not a JSON object.")
  const retryAfterMs = Number(response.headers['retry-after'] ?? RETRY_MS / 1000) * 1000
  return { status: response.statusCode ?? 0, body, retryAfterMs }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A required string of the answer. */
export function text(reply: Reply, key: string): string {
  const value = reply.body[key]
  if (typeof value === 'string') return value
  throw new RunnerFailure(`The server's answer has no "${key}".`)
}

/** Ends early when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (signal?.aborted === true) done()
    else signal?.addEventListener('abort', done)
  })
}
