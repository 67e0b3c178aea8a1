import type { Planner } from '../planner/planner.ts'
import { flushReports, type FlushParts } from '../source/report.ts'
import { withinTime } from '../../concurrency/within-time.ts'

/**
 * `ended`: until every runner has ended. `launched`: until every launch is sent. `handed-over`: until nothing is in
 * flight that only this planner knows of; its successor launches what is reserved.
 */
export type StayUntil = 'handed-over' | 'launched' | 'ended'

/** Why a planner gives up its lease by itself. */
export type Leaving = 'handed-over' | 'yielded' | 'quiet'

/** How often a planner checks whether to leave. */
const LEAVE_CHECK_MS = 500
/** A shutdown waits this long until granted units are launched and reports are sent. */
const DRAIN_MAX_MS = 15_000
const DRAIN_CHECK_MS = 100
/** A shutdown retries a failing source for this long. */
const FLUSH_MAX_MS = 5_000
const FLUSH_AGAIN_MS = 500
/** A successor sends what was not reported, so it does not have to wait for a slow source. */
const FLUSH_LAST_MS = 2_000

type DrainParts = FlushParts & Pick<Planner, 'fleet' | 'sources' | 'claims'>
type LeaveParts = Pick<Planner, 'clock' | 'log' | 'lease' | 'fleet' | 'sources' | 'handOver'>

/** Resolves when it is time to leave; null when the signal aborts before. */
export async function leaveInTime(parts: LeaveParts, signal: AbortSignal): Promise<Leaving | null> {
  const { clock, log, lease, fleet, handOver } = parts
  const woken = AbortSignal.any([signal, lease.yielding])
  while (!signal.aborted) {
    const leaving = reasonToLeave(parts)
    if (leaving !== null) {
      handOver.begin()
      log.emit({ name: 'hub.leaving', reason: leaving, runners: fleet.liveRunnerCount })
      return leaving
    }
    await clock.sleep(Math.min(LEAVE_CHECK_MS, handOver.msLeft), woken)
  }
  return null
}

function reasonToLeave({ lease, sources, handOver }: LeaveParts): Leaving | null {
  if (lease.yielding.aborted) return 'yielded'
  if (handOver.msLeft <= 0) return 'handed-over'
  const hasPolled = sources.all.every((state) => state.hasBeenPolled && !state.isPolling)
  return hasPolled && handOver.mayLeave ? 'quiet' : null
}

/** Completes what is under way, waits for runners if asked to, and reports to the sources how it ended. */
export async function drain(parts: DrainParts, stayUntil: StayUntil, over: AbortSignal): Promise<void> {
  const { clock, log, fleet } = parts
  log.emit({ name: 'hub.draining', runners: fleet.liveRunnerCount, stayUntil })
  const deadlineMs = clock.monotonicMs() + DRAIN_MAX_MS
  const isLate = (): boolean => stayUntil !== 'ended' && clock.monotonicMs() >= deadlineMs
  while (!over.aborted && !isLate() && !isDone(parts, stayUntil)) await clock.sleep(DRAIN_CHECK_MS, over)
  if (stayUntil === 'handed-over') await flushOnce(parts, over)
  // Runners may have taken hours to end: the last reports have their own time.
  else await flushAll(parts, Math.max(deadlineMs, clock.monotonicMs() + FLUSH_MAX_MS), over)
}

function isDone({ claims, fleet, sources }: DrainParts, stayUntil: StayUntil): boolean {
  if (claims.size > 0) return false
  switch (stayUntil) {
    case 'handed-over':
      return sources.all.every((state) => !state.isPolling && !state.mints.isMinting)
    case 'launched':
      return [...fleet.liveRunners()].every((runner) => runner.state !== 'reserved')
    case 'ended':
      return fleet.liveRunnerCount === 0
  }
}

async function flushAll(parts: DrainParts, byMs: number, over: AbortSignal): Promise<void> {
  const { clock, sources } = parts
  for (const state of sources.all) {
    while (
      !over.aborted &&
      (await flushReports(parts, state, over)).kind === 'later' &&
      clock.monotonicMs() < byMs
    )
      await clock.sleep(FLUSH_AGAIN_MS, over)
  }
}

async function flushOnce(parts: DrainParts, over: AbortSignal): Promise<void> {
  await withinTime({ clock: parts.clock, ms: FLUSH_LAST_MS, signal: over }, (signal) =>
    Promise.all(parts.sources.all.map((state) => flushReports(parts, state, signal))),
  )
}
