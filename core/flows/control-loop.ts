import type { Lease } from '../model/index.ts'
import { FleetView } from './fleet-view.ts'
import type { Hub } from './hub.ts'
import { LEASE_TTL_MS, LeaseKeeper, type LeaseEnd } from './lease-keeper.ts'
import { Loop } from './loop.ts'
import { MINTS_AT_ONCE, mintAndDispatch } from './mint.ts'
import { openSource, pollSource } from './poll-source.ts'
import { flushReports, reconcileWithSource, reportToSource } from './report.ts'
import { SourceDesk } from './source-desk.ts'
import { raiseBarrier, takeUpWork } from './take-over.ts'
import { aborted, TaskGroup } from './tasks.ts'
import { upkeep } from './upkeep.ts'
import { watchFleet } from './watch.ts'

/** How often a waiting planner looks whether the lease has come free. */
const LEASE_LOOK_MS = 1_000
/** A shutdown waits this long for granted units to be launched and reports to be told. */
const WIND_DOWN_MAX_MS = 15_000
const WIND_DOWN_LOOK_MS = 100
/** And this long for a source that fails just then. */
const TELL_MAX_MS = 5_000
const TELL_AGAIN_MS = 500

export interface ControlLoopRun {
  /** Who holds the lease: the same name takes its own lease over at once. */
  readonly holder: string
  readonly build: string
  /** Aborts: claim nothing new. What was granted is still launched. */
  readonly drain: AbortSignal
  /** Whether a drained loop stays until every runner has ended, or only until every launch is out. */
  readonly stayUntil: 'launched' | 'ended'
  /** Aborts: end at once, whatever is under way. */
  readonly stop: AbortSignal
}

export type ControlLoopEnd = 'stopped' | 'not-leader' | LeaseEnd

/**
 * Plans and launches for the whole fleet while it holds the fleet's lease. Throws what its store throws: every await
 * is a legal point to die at, and the next run mends what this one left.
 */
export async function runControlLoop(hub: Hub, run: ControlLoopRun): Promise<ControlLoopEnd> {
  const taken = await waitForLease(hub, run)
  if (taken === null) return 'not-leader'
  const tasks = new TaskGroup()
  let loop: Loop | null = null
  const lease = new LeaseKeeper(hub, taken.lease, taken.atMs, () => loop?.notes() ?? taken.lease.notes)
  hub.log.info('lease.taken', { holder: run.holder, fence: lease.fence })
  tasks.run(lease.keep(AbortSignal.any([tasks.signal, run.stop])))
  try {
    const since = hub.clock.now()
    const fleet = await raiseBarrier(hub.store, lease.fence)
    const desks = hub.sources.map((source) => new SourceDesk(source))
    loop = new Loop({ hub, lease, desks, view: new FleetView(), tasks })
    await takeUpWork(loop, fleet, taken.lease.notes)
    await work(loop, since, run)
  } finally {
    tasks.stop()
    await tasks.settled()
  }
  if (lease.ended !== 'lost') await lease.release()
  return lease.ended ?? 'stopped'
}

async function waitForLease(hub: Hub, run: ControlLoopRun): Promise<{ lease: Lease; atMs: number } | null> {
  const { store, clock } = hub
  const over = AbortSignal.any([run.drain, run.stop])
  while (!over.aborted) {
    const atMs = clock.monotonicMs()
    const { holder, build } = run
    const lease = await store.takeLease({ holder, build, now: clock.now(), ttlMs: LEASE_TTL_MS })
    if (lease !== null) return { lease, atMs }
    await clock.sleep(LEASE_LOOK_MS, over)
  }
  return null
}

async function work(loop: Loop, since: number, run: ControlLoopRun): Promise<void> {
  const { tasks, lease } = loop
  const over = AbortSignal.any([tasks.signal, run.stop, lease.signal])
  const claiming = AbortSignal.any([over, run.drain])
  tasks.run(watchFleet(loop, since, over))
  tasks.run(upkeep(loop, over))
  for (const desk of loop.desks) tasks.run(serveSource(loop, desk, claiming, over))
  await aborted(claiming)
  if (!over.aborted) await windDown(loop, run, over)
}

/** Everything about one source, from its first answer on. A source that can't be had delays no other. */
async function serveSource(
  loop: Loop,
  desk: SourceDesk,
  claiming: AbortSignal,
  over: AbortSignal,
): Promise<void> {
  if (!(await openSource(loop, desk, over))) return
  loop.tasks.run(pollSource(loop, desk, claiming))
  for (let worker = 0; worker < MINTS_AT_ONCE; worker += 1) loop.tasks.run(mintAndDispatch(loop, desk, over))
  loop.tasks.run(reportToSource(loop, desk, over))
  loop.tasks.run(reconcileWithSource(loop, desk, over))
}

/** Launches what was granted, waits for runners if asked to, and tells the sources how it ended. */
async function windDown(loop: Loop, run: ControlLoopRun, over: AbortSignal): Promise<void> {
  const { clock, log } = loop.hub
  log.info('hub.draining', { runners: loop.view.liveRunnerCount })
  const deadlineMs = clock.monotonicMs() + WIND_DOWN_MAX_MS
  const isDone = (): boolean => {
    const live = [...loop.view.liveRunners()]
    const launched = loop.claiming.size === 0 && live.every((runner) => runner.state !== 'reserved')
    if (run.stayUntil === 'launched') return launched || clock.monotonicMs() >= deadlineMs
    return launched && live.length === 0
  }
  while (!over.aborted && !isDone()) await clock.sleep(WIND_DOWN_LOOK_MS, over)
  // Runners may have taken hours to end: telling of it has its own time.
  const toldByMs = Math.max(deadlineMs, clock.monotonicMs() + TELL_MAX_MS)
  for (const desk of loop.desks) {
    while (
      !over.aborted &&
      (await flushReports(loop, desk, over)) === 'later' &&
      clock.monotonicMs() < toldByMs
    )
      await clock.sleep(TELL_AGAIN_MS, over)
  }
}
