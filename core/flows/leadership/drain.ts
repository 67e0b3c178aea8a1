import type { Loop } from '../planner/planner.ts'
import { flushReports } from '../source/report.ts'
import { withinTime } from '../../concurrency/within-time.ts'

/**
 * `ended`: until every runner has ended. `launched`: until every launch is out. `handed-over`: until nothing is under
 * way that only this planner knows of; what is reserved, its successor launches.
 */
export type StayUntil = 'handed-over' | 'launched' | 'ended'

/** Why a planner gives its lease up by itself. */
export type Leaving = 'handed-over' | 'yielded' | 'quiet'

/** How often a planner asks itself whether to leave. */
const LEAVE_LOOK_MS = 500
/** A shutdown waits this long for granted units to be launched and reports to be told. */
const WIND_DOWN_MAX_MS = 15_000
const WIND_DOWN_LOOK_MS = 100
/** And this long for a source that fails just then. */
const TELL_MAX_MS = 5_000
const TELL_AGAIN_MS = 500
/** A successor tells what was not told: it is not kept waiting for a source that is slow. */
const TELL_LAST_MS = 2_000

/** Resolves when it is time to leave; null when the signal aborts before. */
export async function leaveInTime(loop: Loop, signal: AbortSignal): Promise<Leaving | null> {
  const woken = AbortSignal.any([signal, loop.lease.yielding])
  while (!signal.aborted) {
    const leaving = reasonToLeave(loop)
    if (leaving !== null) {
      loop.isLeaving = true
      loop.hub.log.emit({ name: 'hub.leaving', reason: leaving, runners: loop.view.liveRunnerCount })
      return leaving
    }
    await loop.hub.clock.sleep(Math.min(LEAVE_LOOK_MS, loop.msToHandOver), woken)
  }
  return null
}

function reasonToLeave(loop: Loop): Leaving | null {
  if (loop.lease.yielding.aborted) return 'yielded'
  if (loop.msToHandOver <= 0) return 'handed-over'
  const hasLooked = loop.desks.every((desk) => desk.asking !== null && !desk.polling)
  return hasLooked && loop.mayLeave ? 'quiet' : null
}

/** Brings what is under way to its end, waits for runners if asked to, and tells the sources how it ended. */
export async function windDown(loop: Loop, stayUntil: StayUntil, over: AbortSignal): Promise<void> {
  const { clock, log } = loop.hub
  log.emit({ name: 'hub.draining', runners: loop.view.liveRunnerCount, stayUntil })
  const deadlineMs = clock.monotonicMs() + WIND_DOWN_MAX_MS
  const isLate = (): boolean => stayUntil !== 'ended' && clock.monotonicMs() >= deadlineMs
  while (!over.aborted && !isLate() && !isDone(loop, stayUntil)) await clock.sleep(WIND_DOWN_LOOK_MS, over)
  if (stayUntil === 'handed-over') await tellOnce(loop, over)
  // Runners may have taken hours to end: telling of it has its own time.
  else await tellAll(loop, Math.max(deadlineMs, clock.monotonicMs() + TELL_MAX_MS), over)
}

function isDone(loop: Loop, stayUntil: StayUntil): boolean {
  if (loop.claiming.size > 0) return false
  switch (stayUntil) {
    case 'handed-over':
      return loop.desks.every((desk) => !desk.polling && desk.minting === 0)
    case 'launched':
      return [...loop.view.liveRunners()].every((runner) => runner.state !== 'reserved')
    case 'ended':
      return loop.view.liveRunnerCount === 0
  }
}

async function tellAll(loop: Loop, byMs: number, over: AbortSignal): Promise<void> {
  const { clock } = loop.hub
  for (const desk of loop.desks) {
    while (
      !over.aborted &&
      (await flushReports(loop, desk, over)).kind === 'later' &&
      clock.monotonicMs() < byMs
    )
      await clock.sleep(TELL_AGAIN_MS, over)
  }
}

async function tellOnce(loop: Loop, over: AbortSignal): Promise<void> {
  await withinTime({ clock: loop.hub.clock, ms: TELL_LAST_MS, signal: over }, (signal) =>
    Promise.all(loop.desks.map((desk) => flushReports(loop, desk, signal))),
  )
}
