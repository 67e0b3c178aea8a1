import type { EpochMs, Lease } from '../../model/index.ts'
import { FleetView } from '../planner/fleet-cache.ts'
import type { Hub } from '../hub-ports.ts'
import { LEASE_TTL_MS, LeaseKeeper } from './lease-keeper.ts'
import { Loop, type Turn } from '../planner/planner.ts'
import { MINTS_AT_ONCE, mintAndDispatch } from '../launch/mint.ts'
import { openSource, pollSource } from '../source/poll.ts'
import { reconcileWithSource } from '../source/reconcile.ts'
import { reportToSource } from '../source/report.ts'
import { SourceDesk } from '../planner/source-state.ts'
import { tellStatus } from '../source/publish-status.ts'
import { raiseBarrier, takeUpWork } from './take-over.ts'
import { aborted } from '../../concurrency/aborted.ts'
import { TaskGroup } from '../../concurrency/task-group.ts'
import { tellAlive } from '../planner/heartbeat.ts'
import { upkeep } from '../planner/repair.ts'
import { followTemplates, watchFleet } from '../planner/follow-fleet.ts'
import { leaveInTime, type Leaving, type StayUntil, windDown } from './drain.ts'

/** How often a waiting planner looks whether the lease has come free. */
const LEASE_LOOK_MS = 1_000

export interface ControlLoopRun {
  /** Who holds the lease: the same name takes its own lease over at once. */
  readonly holder: string
  readonly build: string
  /** Aborts: claim nothing new. What was granted is still launched. */
  readonly drain: AbortSignal
  /** What a drained loop stays for. */
  readonly stayUntil: StayUntil
  /** Aborts: end at once, whatever is under way. */
  readonly stop: AbortSignal
}

export type ControlLoopEnd = 'stopped' | 'not-leader' | 'lost' | Leaving

/** A lease, and when the request that took it was sent, by the monotonic clock. */
export interface TakenLease {
  readonly lease: Lease
  readonly atMs: number
}

/**
 * Plans and launches for the whole fleet while it holds the fleet's lease. Throws what its store throws: every await
 * is a legal point to die at, and the next run mends what this one left.
 */
export async function runControlLoop(hub: Hub, run: ControlLoopRun): Promise<ControlLoopEnd> {
  const taken = await waitForLease(hub, run)
  if (taken === null) return 'not-leader'
  // A hub that has just been started is about to be used.
  return workUnderLease(hub, run, taken, null, hub.clock.now())
}

/** Null: held by another. */
export async function takeLease(
  { store, clock }: Hub,
  { holder, build }: Pick<ControlLoopRun, 'holder' | 'build'>,
  handOverAt: EpochMs | null,
): Promise<TakenLease | null> {
  const atMs = clock.monotonicMs()
  const request = { holder, build, now: clock.now(), ttlMs: LEASE_TTL_MS, handOverAt }
  const lease = await store.takeLease(request)
  return lease === null ? null : { lease, atMs }
}

async function waitForLease(hub: Hub, run: ControlLoopRun): Promise<TakenLease | null> {
  // A run that begins drained goes on with what an earlier one was draining.
  const over = run.drain.aborted ? run.stop : AbortSignal.any([run.drain, run.stop])
  while (!over.aborted) {
    const taken = await takeLease(hub, run, null)
    if (taken !== null) return taken
    await hub.clock.sleep(LEASE_LOOK_MS, over)
  }
  return null
}

/** `turn` null: until one of the signals says otherwise. */
export async function workUnderLease(
  hub: Hub,
  run: ControlLoopRun,
  taken: TakenLease,
  turn: Turn | null,
  lastWorkAt: EpochMs,
): Promise<ControlLoopEnd> {
  const tasks = new TaskGroup()
  let loop: Loop | null = null
  const lease = new LeaseKeeper(hub, taken.lease, taken.atMs, () => loop?.notes() ?? taken.lease.notes)
  hub.log.emit({ name: 'lease.taken', holder: run.holder, fence: lease.fence })
  tasks.run(lease.keep(AbortSignal.any([tasks.signal, run.stop])))
  let leaving: Leaving | null = null
  try {
    const since = hub.clock.now()
    const fleet = await raiseBarrier(hub.store, lease.fence)
    const desks = hub.sources.map((source) => new SourceDesk(source))
    loop = new Loop({ hub, lease, desks, view: new FleetView(), tasks, turn, lastWorkAt })
    await takeUpWork(loop, fleet, taken.lease.notes)
    leaving = await work(loop, since, run)
  } finally {
    tasks.stop()
    await tasks.settled()
  }
  if (lease.isLost) return 'lost'
  await lease.release()
  hub.log.emit({ name: 'lease.released', fence: lease.fence, reason: leaving ?? 'stopped' })
  return leaving ?? 'stopped'
}

async function work(loop: Loop, since: number, run: ControlLoopRun): Promise<Leaving | null> {
  const { tasks, lease } = loop
  const over = AbortSignal.any([tasks.signal, run.stop, lease.signal])
  const claiming = AbortSignal.any([over, run.drain])
  tasks.run(watchFleet(loop, since, over))
  tasks.run(followTemplates(loop, over))
  tasks.run(upkeep(loop, over))
  tasks.run(tellAlive(loop, over))
  for (const desk of loop.desks) tasks.run(serveSource(loop, desk, claiming, over))
  const leaving = await leaveInTime(loop, claiming)
  if (leaving === null) await aborted(claiming)
  if (!over.aborted) await windDown(loop, leaving === null ? run.stayUntil : 'handed-over', over)
  return leaving
}

/** Everything about one source, from its first answer on. A source that can't be had delays no other. */
async function serveSource(
  loop: Loop,
  desk: SourceDesk,
  claiming: AbortSignal,
  over: AbortSignal,
): Promise<void> {
  loop.tasks.run(tellStatus(loop, desk, over))
  if (!(await openSource(loop, desk, over))) return
  loop.tasks.run(pollSource(loop, desk, claiming))
  for (let worker = 0; worker < MINTS_AT_ONCE; worker += 1) loop.tasks.run(mintAndDispatch(loop, desk, over))
  loop.tasks.run(reportToSource(loop, desk, over))
  loop.tasks.run(reconcileWithSource(loop, desk, over))
}
