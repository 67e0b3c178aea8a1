import { SlipwayError } from '../../core/model/index.ts'
import type { EpochMs, Secret } from '../../core/model/index.ts'
import { type Clock, SourceError } from '../../core/ports/index.ts'
import type * as z from 'zod'
import { type Effect, readRefusal, type Refusal, refusalError, silenceError } from './failures.ts'
import { createHttpClient, type HttpAnswer, type HttpCall, HttpFailure } from './http.ts'
import { quote } from './redact.ts'

/** Every call except a held poll is normally answered within milliseconds. */
export const CALL_DEADLINE_MS = 10_000

/** One call of the protocol. */
export interface Call<Value> {
  /** Completes "could not …" in messages. */
  readonly does: string
  readonly method: 'GET' | 'POST'
  /** Below the API's base URL, with a leading slash. */
  readonly path: string
  readonly body?: unknown
  readonly answer: z.ZodType<Value>
  readonly effect: Effect
  /** Default `CALL_DEADLINE_MS`. */
  readonly deadlineMs?: number
}

export interface Answered<Value> {
  readonly value: Value
  /** Time of sending the (first) request, by the hub's monotonic clock. */
  readonly sentAtMonotonicMs: number
  /** The `Date` header: the server's clock when it answered, with a resolution of one second. */
  readonly answeredAt: EpochMs | null
  /** True if the request was sent twice; either one may have had the effect. */
  readonly repeated: boolean
}

export interface Api {
  readonly url: string
  /** Throws `SourceError` unless the answer is 200 with a valid body. */
  ask<Value>(call: Call<Value>, signal: AbortSignal): Promise<Answered<Value>>
  /** Like `ask`, but returns a refusal instead of throwing it. */
  tryAsk<Value>(
    call: Call<Value>,
    signal: AbortSignal,
  ): Promise<{ readonly answered: Answered<Value> } | { readonly refusal: Refusal }>
}

/** Throws `source-url-invalid`. `url` may have a path prefix and a trailing slash. */
export function createApi(options: { url: string; token: Secret; clock: Clock }): Api {
  const { token, clock } = options
  const base = readBaseUrl(options.url)
  const url = `${base.origin}${base.pathname.replace(/\/+$/, '')}`
  const http = createHttpClient(base.protocol === 'https:' ? 'https:' : 'http:', clock)

  async function send(call: Call<unknown>, signal: AbortSignal): Promise<HttpAnswer & { repeated: boolean }> {
    const request = { ...toRequest(call, url, token), freshConnection: false }
    try {
      return { ...(await http.send(request, signal)), repeated: false }
    } catch (thrown) {
      if (!(thrown instanceof HttpFailure) || !mayRepeatAtOnce(thrown, call)) throw thrown
      return { ...(await http.send({ ...request, freshConnection: true }, signal)), repeated: true }
    }
  }

  const api: Api = {
    url,
    async tryAsk(call, signal) {
      const sentAtMonotonicMs = clock.monotonicMs()
      const answer = await send(call, signal).catch((thrown: unknown) => {
        throw thrown instanceof HttpFailure ? silenceError(thrown, call, url) : thrown
      })
      const answeredAt = readDate(answer.header('date'))
      const body = readJson(answer.text)
      if (answer.status !== 200) {
        const { status } = answer
        const serverNow = answeredAt ?? clock.now()
        return { refusal: readRefusal({ status, body, retryAfter: answer.header('retry-after'), serverNow }) }
      }
      const value = readAnswer(call, body, url)
      return { answered: { value, sentAtMonotonicMs, answeredAt, repeated: answer.repeated } }
    },
    async ask(call, signal) {
      const result = await api.tryAsk(call, signal)
      if ('refusal' in result) throw refusalError(result.refusal, call, url)
      return result.answered
    },
  }
  return api
}

function readBaseUrl(text: string): URL {
  const url = URL.parse(text)
  const plain = url !== null && url.username === '' && url.password === '' && url.search + url.hash === ''
  if (plain && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new SlipwayError(
    'source-url-invalid',
    'The Shipfox API URL must be http:// or https:// with a host and an optional path, without user, query and fragment. Check SHIPFOX_API_URL.',
  )
}

function toRequest(call: Call<unknown>, url: string, token: Secret): Omit<HttpCall, 'freshConnection'> {
  const body = call.body === undefined ? null : JSON.stringify(call.body)
  return {
    method: call.method,
    url: `${url}${call.path}`,
    headers: {
      authorization: `Bearer ${token.reveal()}`,
      accept: 'application/json',
      'user-agent': 'slipway',
      ...(body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    },
    body,
    deadlineMs: call.deadlineMs ?? CALL_DEADLINE_MS,
  }
}

/** L6: an error on a reused connection may only mean that the server had closed that idle connection. */
function mayRepeatAtOnce(failure: HttpFailure, call: Call<unknown>): boolean {
  const cut = failure.code === 'ECONNRESET' || failure.code === 'EPIPE'
  return call.effect === 'repeatable' && failure.reusedSocket && cut
}

function readDate(header: string | null): EpochMs | null {
  const at = Date.parse(header ?? '')
  return Number.isNaN(at) ? null : at
}

/** Undefined if the text is not JSON. The parser's error is dropped, because it quotes the text, which may have a token. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readAnswer<Value>(call: Call<Value>, body: unknown, url: string): Value {
  const parsed = call.answer.safeParse(body)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue === undefined ? '' : quote(`${issue.path.join('.')}: ${issue.message}`)
  const what = body === undefined ? 'a body that is not JSON' : `an unexpected answer (${place})`
  throw new SourceError(
    'protocol',
    `Could not ${call.does}. ${url} answered 200 with ${what}. Check that SHIPFOX_API_URL is the URL of the Shipfox API, including its path prefix.`,
  )
}
