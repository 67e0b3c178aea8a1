import type { Secret, SourceId, SourceLimits } from '../../model/index.ts'
import {
  type Clock,
  type DemandSource,
  SecretMissing,
  type SecretReader,
  SourceError,
} from '../../ports/index.ts'
import { messageOf } from '../../model/index.ts'

/** A replaced token is used within this time, even while the old one still works. */
export const SECRET_CACHE_MS = 5 * 60_000

/**
 * Secrets by name, each kept for a short time. A cached secret may be outdated: `forget` makes the next `read` ask the
 * store.
 */
export class SecretCache {
  readonly #reader: SecretReader
  readonly #clock: Clock
  readonly #kept = new Map<string, { secret: Secret; readAt: number; readAtMs: number }>()

  constructor(reader: SecretReader, clock: Clock) {
    this.#reader = reader
    this.#clock = clock
  }

  async read(name: string): Promise<Secret | null> {
    const kept = this.#kept.get(name)
    if (kept !== undefined && this.#ageMs(kept) < SECRET_CACHE_MS) return kept.secret
    const stamp = { readAt: this.#clock.now(), readAtMs: this.#clock.monotonicMs() }
    const secret = await this.#reader.readSecret(name)
    if (secret === null) this.#kept.delete(name)
    else this.#kept.set(name, { secret, ...stamp })
    return secret
  }

  forget(name: string): void {
    this.#kept.delete(name)
  }

  /** The longer of both clocks: memory outlives a freeze (L9), in which the monotonic clock may stand still. */
  #ageMs({ readAt, readAtMs }: { readAt: number; readAtMs: number }): number {
    return Math.max(this.#clock.now() - readAt, this.#clock.monotonicMs() - readAtMs)
  }
}

interface Opened {
  readonly token: string
  readonly source: DemandSource
}

/**
 * A source whose token is in a secret store. A new token is picked up automatically; after `unauthorized`, the next
 * call reads it again. Throws `SecretMissing` while there is no token, and `unavailable` while the store can't be read.
 */
export function sourceWithSecret(parts: {
  readonly id: SourceId
  readonly parameter: string
  readonly secrets: SecretCache
  readonly open: (token: Secret) => DemandSource
}): DemandSource {
  const { id, parameter, secrets, open } = parts
  let opened: Opened | null = null
  let limits: SourceLimits | null = null

  async function readToken(): Promise<Secret> {
    try {
      const token = await secrets.read(parameter)
      if (token !== null) return token
    } catch (cause) {
      throw new SourceError(
        'unavailable',
        `The token of source ${id} cannot be read from ${parameter} now: ${messageOf(cause)}`,
        { cause },
      )
    }
    throw new SecretMissing(id, parameter)
  }

  /** The source with the current token; a new token is authenticated before any other call. */
  async function current(signal: AbortSignal): Promise<DemandSource> {
    const token = await readToken()
    if (opened?.token === token.reveal()) return opened.source
    const source = open(token)
    limits = await source.authenticate(signal)
    opened = { token: token.reveal(), source }
    return source
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (thrown) {
      if (thrown instanceof SourceError && thrown.kind === 'unauthorized') {
        secrets.forget(parameter)
      }
      throw thrown
    }
  }

  return {
    id,
    authenticate: (signal) =>
      guarded(async () => {
        const before = opened
        const source = await current(signal)
        if (source !== before?.source && limits !== null) return limits
        limits = await source.authenticate(signal)
        return limits
      }),
    poll: (request, signal) => guarded(async () => (await current(signal)).poll(request, signal)),
    mint: (request, signal) => guarded(async () => (await current(signal)).mint(request, signal)),
    report: (reports, signal) => guarded(async () => (await current(signal)).report(reports, signal)),
    reconcile: (observed, signal) => guarded(async () => (await current(signal)).reconcile(observed, signal)),
  }
}
