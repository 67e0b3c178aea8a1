import { BACKOFF, backoffMs } from '../core/concurrency/backoff.ts'
import type { ControlLoopEnd, ControlLoopRun } from '../core/flows/index.ts'
import { messageOf, SlipwayError } from '../core/model/index.ts'
import type { Clock, Log } from '../core/ports/index.ts'

/** A loop that worked this long has proved that it can. */
const PROVED_AFTER_MS = 60_000
/** About two minutes of trying: what fails all that time needs a person. */
const FAILURES_MAX = 8

/**
 * Starts a control loop anew whenever it fails or loses its lease: its state says where to go on. Resolves once it was
 * stopped, or drained to its end; a loop that fails while it drains has not ended. Throws `hub-loop-failed`.
 */
export async function keepRunning(
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
    `The hub failed ${FAILURES_MAX} times in a row, at last with: ${messageOf(cause)} Running jobs go on; start it again once that is mended.`,
    { cause },
  )
}
