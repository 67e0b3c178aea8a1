import type { EpochMs, Lease } from '../../model/index.ts'
import type { Clock, LeaseStore } from '../../ports/index.ts'
import type { Hub } from '../hub-ports.ts'
import { LEASE_TTL_MS, LeaseKeeper } from './lease-keeper.ts'
import { LeaseNotesBook } from './lease-notes.ts'
import { createPlanner, type Planner } from '../planner/planner.ts'
import { createPlannerState } from '../planner/planner-state.ts'
import type { Turn } from '../planner/hand-over.ts'
import { MINTS_AT_ONCE, mintAndDispatch } from '../launch/mint.ts'
import { openSource, pollSource } from '../source/poll.ts'
import { reconcileWithSource } from '../source/reconcile.ts'
import { reportToSource } from '../source/report.ts'
import type { SourceState } from '../planner/source-state.ts'
import { publishStatus } from '../source/publish-status.ts'
import { raiseFences, takeUpWork } from './take-over.ts'
import { aborted } from '../../concurrency/aborted.ts'
import { TaskGroup } from '../../concurrency/task-group.ts'
import { emitHeartbeat } from '../planner/heartbeat.ts'
import { repair } from '../planner/repair.ts'
import { followFleet, followTemplates } from '../planner/follow-fleet.ts'
import { drain, leaveInTime, type Leaving, type StayUntil } from './drain.ts'

/** How often a waiting planner checks whether the lease is free. */
const LEASE_CHECK_MS = 1_000

export interface ControlLoopRun {
  /** Name of the lease holder: the same name takes over its own lease at once. */
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
 * Plans and launches for the whole fleet while it holds the fleet's lease. Throws what its store throws: the
 * process may die at every await, and the next run repairs what this one left.
 */
export async function runControlLoop(hub: Hub, run: ControlLoopRun): Promise<ControlLoopEnd> {
  const taken = await waitForLease(hub, run)
  if (taken === null) return 'not-leader'
  // A hub that has just been started is about to be used.
  return workUnderLease(hub, run, taken, null, hub.clock.now())
}

interface LeasePorts {
  readonly store: Pick<LeaseStore, 'takeLease'>
  readonly clock: Clock
}

/** Null: held by another. */
export async function takeLease(
  { store, clock }: LeasePorts,
  { holder, build }: Pick<ControlLoopRun, 'holder' | 'build'>,
  handOverAt: EpochMs | null,
): Promise<TakenLease | null> {
  const atMs = clock.monotonicMs()
  const request = { holder, build, now: clock.now(), ttlMs: LEASE_TTL_MS, handOverAt }
  const lease = await store.takeLease(request)
  return lease === null ? null : { lease, atMs }
}

async function waitForLease(ports: LeasePorts, run: ControlLoopRun): Promise<TakenLease | null> {
  // A run that begins drained goes on with what an earlier one was draining.
  const over = run.drain.aborted ? run.stop : AbortSignal.any([run.drain, run.stop])
  while (!over.aborted) {
    const taken = await takeLease(ports, run, null)
    if (taken !== null) return taken
    await ports.clock.sleep(LEASE_CHECK_MS, over)
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
  const state = createPlannerState(hub, lastWorkAt)
  const notes = new LeaseNotesBook({ clock: hub.clock, ...state }, taken.lease.notes)
  const lease = new LeaseKeeper(hub, taken.lease, taken.atMs, () => notes.current())
  hub.log.emit({ name: 'lease.taken', holder: run.holder, fence: lease.fence })
  tasks.run(lease.keep(AbortSignal.any([tasks.signal, run.stop])))
  let leaving: Leaving | null = null
  try {
    const since = hub.clock.now()
    const fleet = await raiseFences(hub.store, lease.fence)
    const planner = createPlanner(hub, state, { lease, tasks, turn })
    await takeUpWork(planner, fleet, notes)
    leaving = await work(planner, since, run)
  } finally {
    tasks.stop()
    await tasks.settled()
  }
  if (lease.isLost) return 'lost'
  await lease.release()
  hub.log.emit({ name: 'lease.released', fence: lease.fence, reason: leaving ?? 'stopped' })
  return leaving ?? 'stopped'
}

async function work(planner: Planner, since: number, run: ControlLoopRun): Promise<Leaving | null> {
  const { tasks, lease, sources } = planner
  const over = AbortSignal.any([tasks.signal, run.stop, lease.signal])
  const claiming = AbortSignal.any([over, run.drain])
  tasks.run(followFleet(planner, since, over))
  tasks.run(followTemplates(planner, over))
  tasks.run(repair(planner, over))
  tasks.run(emitHeartbeat(planner, over))
  for (const state of sources.all) tasks.run(serveSource(planner, state, claiming, over))
  const leaving = await leaveInTime(planner, claiming)
  if (leaving === null) await aborted(claiming)
  if (!over.aborted) await drain(planner, leaving === null ? run.stayUntil : 'handed-over', over)
  return leaving
}

/** Runs everything about one source, from its first answer on. A source that is not available delays no other. */
async function serveSource(
  planner: Planner,
  state: SourceState,
  claiming: AbortSignal,
  over: AbortSignal,
): Promise<void> {
  const { tasks } = planner
  tasks.run(publishStatus(planner, state, over))
  if (!(await openSource(planner, state, over))) return
  tasks.run(pollSource(planner, state, claiming))
  for (let worker = 0; worker < MINTS_AT_ONCE; worker += 1) tasks.run(mintAndDispatch(planner, state, over))
  tasks.run(reportToSource(planner, state, over))
  tasks.run(reconcileWithSource(planner, state, over))
}
