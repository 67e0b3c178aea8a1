import type { IncomingHttpHeaders } from 'node:http'
import type { Secret } from '../../core/model/secret.ts'
import type { Refusal } from '../rules/refusal.ts'
import type { World } from '../rules/world.ts'
import type { EpochMs, ProtocolGeneration } from '../types.ts'

/** One request and what its handler may use. */
export type Call = {
  readonly world: World
  readonly now: () => EpochMs
  readonly random: () => number
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The bearer token; null = none was sent. */
  readonly token: Secret | null
  /** Aborts when the client disconnects or the server closes before the answer is sent. */
  readonly gone: AbortSignal
  /** The parsed JSON; undefined for an empty body without a content type. */
  readonly body: unknown
}

export type Answer = {
  readonly status: number
  readonly body: unknown
  /** Sent as the `Retry-After` header. */
  readonly retryAfterSeconds?: number
  /** Called if the client disconnected before it got the whole answer. */
  readonly undo?: () => void
}

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const noContent: Answer = { status: 204, body: undefined }
export const isoTime = (at: EpochMs): string => new Date(at).toISOString()

export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** A segment that starts with a colon is a parameter. */
  readonly path: string
  readonly generations: readonly ProtocolGeneration[]
  /** Called before the body is read: authorization comes before validation. */
  readonly authorize: (call: Call) => void
  readonly handle: (call: Call) => Answer | Promise<Answer>
}

/** Repeats `check` until it is ready or the time is over, and returns its last result. Throws ClientGone. */
export async function holdUntil<T>(
  check: () => T,
  isReady: (found: T) => boolean,
  pacing: { waitMs: number; pauseMs: (attempt: number) => number },
  gone: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + pacing.waitMs
  for (let attempt = 0; ; attempt += 1) {
    if (gone.aborted) throw new ClientGone()
    const found = check()
    const leftMs = deadline - performance.now()
    if (isReady(found) || leftMs <= 0) return found
    const pauseMs = pacing.pauseMs(attempt)
    await pause(Math.min(pauseMs, leftMs), gone)
    if (pauseMs >= leftMs) return found
  }
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(new ClientGone())
    }
    const timer = setTimeout(() => {
      gone.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (gone.aborted) stop()
    else gone.addEventListener('abort', stop, { once: true })
  })
}

/** Ends the handling of a request whose client has disconnected. */
export class ClientGone extends Error {}

export function errorBody(refusal: Refusal): unknown {
  const { code, message, details } = refusal
  return { code, ...(message === '' ? {} : { message }), ...(details === undefined ? {} : { details }) }
}
