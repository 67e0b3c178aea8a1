import { BACKOFF, backoffMs } from '../core/concurrency/backoff.ts'
import type { ControlLoopEnd, ControlLoopRun } from '../core/flows/index.ts'
import { messageOf, SlipwayError } from '../core/model/index.ts'
import type { Clock, Log } from '../core/ports/index.ts'

/** A run that lasted this long resets the count of failures. */
const PROVED_AFTER_MS = 60_000
/** About two minutes of retries; if all of them fail, a person is needed. */
const FAILURES_MAX = 8

/**
 * Restarts a control loop whenever it fails or loses its lease; it continues from the stored state. Resolves once the
 * loop is stopped or has drained; a loop that fails while draining is restarted as well. Throws `hub-loop-failed`.
 */
export async function restartOnFailure(
  runOnce: (signals: Pick<ControlLoopRun, 'drain' | 'stop'>) => Promise<ControlLoopEnd>,
  { drain, stop }: Pick<ControlLoopRun, 'drain' | 'stop'>,
  { clock, log }: { clock: Clock; log: Log },
): Promise<void> {
  let failures = 0
  if (drain.aborted) return
  while (!stop.aborted) {
    const startedAtMs = clock.monotonicMs()
    try {
      const end = await runOnce({ drain, stop })
      log.emit({ name: 'hub.loop-ended', end })
      if (end === 'stopped' || end === 'not-leader') return
      failures = 0
    } catch (thrown) {
      failures = clock.monotonicMs() - startedAtMs >= PROVED_AFTER_MS ? 1 : failures + 1
      log.emit({ name: 'hub.loop-failed', reason: messageOf(thrown), cause: thrown, failures })
      if (failures >= FAILURES_MAX) throw gaveUp(thrown)
      const woken = drain.aborted ? stop : AbortSignal.any([drain, stop])
      await clock.sleep(backoffMs(BACKOFF.restart, failures, 0), woken)
    }
  }
}

function gaveUp(cause: unknown): SlipwayError {
  return new SlipwayError(
    'hub-loop-failed',
    `The hub failed ${FAILURES_MAX} times in a row. Last error: ${messageOf(cause)} Running jobs continue. Restart the hub once this is fixed.`,
    { cause },
  )
}
