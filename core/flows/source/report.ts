import { BACKOFF, backoffMs } from '../../concurrency/backoff.ts'
import type { RunnerReport } from '../../model/index.ts'
import { SourceError } from '../../ports/index.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'
import { failing } from './publish-status.ts'

/** A source writes off runners that it has not heard of for 120 s: four chances before that. */
const REPEAT_EVERY_MS = 30_000

/** Tells one source what happens to its runners: changes at once, all live ones again well inside its patience. */
export async function reportToSource(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<void> {
  const { clock, random } = loop.hub
  let repeatAtMs = clock.monotonicMs() + REPEAT_EVERY_MS
  let failures = 0
  while (!signal.aborted && loop.lease.holds()) {
    if (clock.monotonicMs() >= repeatAtMs) {
      repeatLive(loop, desk)
      repeatAtMs = clock.monotonicMs() + REPEAT_EVERY_MS
    }
    const flushed = await flushReports(loop, desk, signal)
    failures = flushed.kind === 'told' ? 0 : failures + 1
    const pauseMs =
      failures === 0 ? desk.limits.reportIntervalMs : backoffMs(BACKOFF.report, failures, random.unit())
    await clock.sleep(Math.max(pauseMs, flushed.retryAfterMs), signal)
  }
}

export interface Flushed {
  /** `told`: everything that was on the desk has reached the source. `refused`: it will not listen to our token. */
  readonly kind: 'told' | 'later' | 'refused'
  /** As long as the source asks to be left alone. */
  readonly retryAfterMs: number
}

export async function flushReports(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<Flushed> {
  const batch = [...desk.reports.values()]
  if (batch.length === 0) return { kind: 'told', retryAfterMs: 0 }
  try {
    await loop.lease.call(signal, (guarded) => desk.source.report(batch, guarded))
  } catch (thrown) {
    if (!(thrown instanceof SourceError)) throw thrown
    const { kind, message, retryAfterMs } = thrown
    if (!signal.aborted) {
      loop.hub.log.emit({ name: 'source.report-failed', source: desk.id, kind, reason: message })
      desk.noteTelling('report', failing(kind, message), loop.hub.clock.monotonicMs())
    }
    return { kind: kind === 'unauthorized' ? 'refused' : 'later', retryAfterMs: retryAfterMs ?? 0 }
  }
  desk.noteTelling('report', null, loop.hub.clock.monotonicMs())
  for (const report of batch) settleReport(desk, report)
  return { kind: 'told', retryAfterMs: 0 }
}

function settleReport(desk: SourceDesk, report: RunnerReport): void {
  if (desk.reports.get(report.id) !== report) return
  desk.reports.delete(report.id)
  desk.unreportedEnds.delete(report.id)
}

function repeatLive(loop: Loop, desk: SourceDesk): void {
  for (const runner of loop.view.liveRunners()) if (runner.source === desk.id) loop.report(runner)
}
