import { systemClock } from '../../adapters/system/index.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import type { RunSummary } from './run-summary.ts'

const LOOK_MS = 100
/** A foreign source is idle once nothing has waited there, and nothing lived here, for a few polls in a row. */
const QUIET_FOR_MS = 5_000

/** Resolves when there is nothing left to do: every job of our own sandbox has ended, or a foreign source is quiet. */
export async function untilQuiet(run: {
  sandbox: Sandbox | null
  runSummary: RunSummary
  signal: AbortSignal
}): Promise<void> {
  const { sandbox, runSummary, signal } = run
  const isBusy = (): boolean => (sandbox === null ? runSummary.isBusy : hasOpenJobs(sandbox))
  const quietForMs = sandbox === null ? QUIET_FOR_MS : 0
  let quietSinceMs = systemClock.monotonicMs()
  while (!signal.aborted) {
    const nowMs = systemClock.monotonicMs()
    if (isBusy()) quietSinceMs = nowMs
    else if (nowMs - quietSinceMs >= quietForMs) return
    await systemClock.sleep(LOOK_MS, signal)
  }
}

function hasOpenJobs(sandbox: Sandbox): boolean {
  const { queued, claimed } = sandbox.stats().jobs
  return queued > 0 || claimed > 0
}
