import type { Clock } from '../../../core/ports/index.ts'
import { EngineError, type EngineFailureKind } from '../engine.ts'
import { engineError } from './failure.ts'

/** One call to the engine, with a deadline: an engine that hangs counts as unreachable (K1). */
export interface Call {
  /** Its purpose, for messages: "start runner x". */
  readonly doing: string
  /** How long it may take without progress. */
  readonly timeoutMs: number
  /** How long it may take in total; default: `timeoutMs`. */
  readonly maxMs?: number
  /** The failure kind when it took longer; default: `unreachable`. */
  readonly lateKind?: EngineFailureKind
}

/**
 * Runs one call and ends in time whatever the client does: dockerode never settles when a connection breaks within
 * an answer. The signal aborts once time is up, and never after the work has settled, so that a stream which it
 * opened goes on. Everything that is thrown is an EngineError.
 */
export async function withDeadline<T>(
  clock: Clock,
  call: Call,
  work: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const { doing, timeoutMs, maxMs = timeoutMs, lateKind = 'unreachable' } = call
  const settled = new AbortController()
  const late = new AbortController()
  const begunAt = clock.monotonicMs()
  let aliveAt = begunAt
  const deadline = async (): Promise<never> => {
    for (;;) {
      const left = Math.min(aliveAt + timeoutMs, begunAt + maxMs) - clock.monotonicMs()
      if (left <= 0 || settled.signal.aborted) break
      await clock.sleep(left, settled.signal)
    }
    if (!settled.signal.aborted) late.abort()
    throw new EngineError(lateKind, `Docker did not answer in time (${doing}, ${timeoutMs} ms).`)
  }
  const alive = (): void => {
    aliveAt = clock.monotonicMs()
  }
  try {
    return await Promise.race([work(late.signal, alive), deadline()])
  } catch (thrown) {
    throw engineError(doing, thrown)
  } finally {
    settled.abort()
  }
}
