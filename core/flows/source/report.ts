import { BACKOFF, backoffMs } from '../../concurrency/backoff.ts'
import { SourceError } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'
import { failing } from './publish-status.ts'

/** A source declares runners lost that were not reported for 120 s: four reports fit into that time. */
const REPEAT_EVERY_MS = 30_000

export type FlushParts = Pick<Planner, 'clock' | 'log' | 'lease'>
type ReportParts = FlushParts & Pick<Planner, 'random' | 'fleet' | 'runners'>

/**
 * Reports runner states to one source: changes at once, and all live runners again well before the source writes them
 * off.
 */
export async function reportToSource(
  parts: ReportParts,
  state: SourceState,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, lease } = parts
  let repeatAtMs = clock.monotonicMs() + REPEAT_EVERY_MS
  let failures = 0
  while (!signal.aborted && lease.holds()) {
    if (clock.monotonicMs() >= repeatAtMs) {
      repeatLive(parts, state)
      repeatAtMs = clock.monotonicMs() + REPEAT_EVERY_MS
    }
    const flushed = await flushReports(parts, state, signal)
    failures = flushed.kind === 'reported' ? 0 : failures + 1
    const pauseMs =
      failures === 0 ? state.limits.reportIntervalMs : backoffMs(BACKOFF.report, failures, random.unit())
    await clock.sleep(Math.max(pauseMs, flushed.retryAfterMs), signal)
  }
}

export interface Flushed {
  /** `reported`: the source has received everything that was queued. `refused`: it doesn't accept our token. */
  readonly kind: 'reported' | 'later' | 'refused'
  /** As long as the source asks to be left alone. */
  readonly retryAfterMs: number
}

export async function flushReports(
  { clock, log, lease }: FlushParts,
  state: SourceState,
  signal: AbortSignal,
): Promise<Flushed> {
  const batch = state.reports.batch()
  if (batch.length === 0) return { kind: 'reported', retryAfterMs: 0 }
  try {
    await lease.call(signal, (guarded) => state.source.report(batch, guarded))
  } catch (thrown) {
    if (!(thrown instanceof SourceError)) throw thrown
    const { kind, message, retryAfterMs } = thrown
    if (!signal.aborted) {
      log.emit({ name: 'source.report-failed', source: state.id, kind, reason: message })
      state.runnerCallFailed('report', failing(kind, message), clock.monotonicMs())
    }
    return { kind: kind === 'unauthorized' ? 'refused' : 'later', retryAfterMs: retryAfterMs ?? 0 }
  }
  state.runnerCallSucceeded('report')
  state.reports.settle(batch)
  return { kind: 'reported', retryAfterMs: 0 }
}

function repeatLive({ fleet, runners }: Pick<ReportParts, 'fleet' | 'runners'>, { id }: SourceState): void {
  for (const runner of fleet.liveRunners()) if (runner.source === id) runners.report(runner)
}
