import { type EpochMs, isOffered, type Lease } from '../../model/index.ts'
import {
  decideOnLease,
  mayPollOnly,
  type RunModeRule,
  staysInQuiet,
  type LeaseFacts,
  ungranted,
} from '../../plan/index.ts'
import { type DemandSource, SourceError, type SourceStatusStore } from '../../ports/index.ts'
import { type ControlLoopEnd, takeLease, workUnderLease } from './run-under-lease.ts'
import type { Hub } from '../hub-ports.ts'
import { failing, conditionAfter } from '../source/publish-status.ts'
import { withinTime } from '../../concurrency/within-time.ts'

/** How often a waiting tick reads the lease. */
const LEASE_CHECK_MS = 500
/** No tick waits longer: the next one runs by then. */
const WAIT_MAX_MS = 90_000
/** A source that has not answered by then is polled again by the next tick. */
const POLL_MAX_MS = 15_000

export interface ScheduledRun {
  /** Unique to this invocation, even among its own retries. */
  readonly holder: string
  readonly build: string
  /** When the schedule wanted it to run. */
  readonly dueAt: EpochMs
  readonly rule: RunModeRule
  /** How long it may work, from now on; the lease is handed over by then. */
  readonly workMs: number
  /** Aborts: end at once, whatever is under way. */
  readonly stop: AbortSignal
}

/** `held`: another holder has the lease. `idle`: no work; no lease taken. */
export type ScheduledRunEnd = ControlLoopEnd | 'held' | 'idle'

/**
 * One tick of a schedule: makes sure that there is one planner, and becomes it if necessary. Ticks may overlap, come
 * late, twice or not at all, and may be killed at any await.
 */
export async function runScheduled(hub: Hub, scheduled: ScheduledRun): Promise<ScheduledRunEnd> {
  const { clock } = hub
  const startedAtMs = clock.monotonicMs()
  const waitUntilMs = startedAtMs + Math.min(WAIT_MAX_MS, scheduled.workMs)
  for (;;) {
    const lease = await hub.store.readLease()
    const facts = { now: clock.now(), build: scheduled.build, dueAt: scheduled.dueAt }
    const decision = decideOnLease(lease, facts)
    if (decision === 'leave') return 'held'
    if (decision === 'take') {
      const end = await serve(hub, scheduled, lease, facts, startedAtMs + scheduled.workMs)
      if (end !== 'not-leader') return end
    } else if (decision === 'ask' && lease !== null) {
      hub.log.emit({ name: 'lease.yield-asked', holder: lease.holder, build: scheduled.build })
      await hub.store.requestYield({ holder: lease.holder, build: scheduled.build })
    }
    if (scheduled.stop.aborted || clock.monotonicMs() >= waitUntilMs) return 'held'
    await clock.sleep(LEASE_CHECK_MS, scheduled.stop)
  }
}

/** `not-leader`: another invocation took the lease first. */
async function serve(
  hub: Hub,
  scheduled: ScheduledRun,
  lease: Lease | null,
  facts: LeaseFacts,
  handOverAtMs: number,
): Promise<ScheduledRunEnd> {
  await hub.templatesInForce.refresh()
  const keepsWarm = hub.templates().some(({ targetConcurrency }) => targetConcurrency > 0)
  if (!keepsWarm && mayPollOnly(lease, facts, scheduled.rule) && !(await isJobWaiting(hub, scheduled.stop)))
    return 'idle'
  const { clock } = hub
  const handOverAt = clock.now() + Math.floor(handOverAtMs - clock.monotonicMs())
  const taken = await takeLease(hub, scheduled, handOverAt)
  if (taken === null) return 'not-leader'
  const turn = {
    handOverAtMs,
    staysInQuiet: (lastWorkAt: EpochMs, now: EpochMs) => staysInQuiet(scheduled.rule, lastWorkAt, now),
  }
  const run = { ...scheduled, drain: NEVER, stayUntil: 'handed-over' } as const
  // A hub that never ran before has just been set up.
  const { lastWorkAt } = taken.lease.notes
  return workUnderLease(hub, run, taken, turn, lastWorkAt === 0 ? clock.now() : lastWorkAt)
}

const NEVER = new AbortController().signal

type PollParts = Pick<Hub, 'clock' | 'log' | 'sources' | 'templates' | 'templatesInForce'> & {
  readonly store: Pick<SourceStatusStore, 'putSourceStatus'>
}

/**
 * Polls every source for waiting jobs and asks for no reservation: such a poll has no effect, so it needs no lease. A
 * failing source is reported, and polled again by the next tick.
 */
async function isJobWaiting(parts: PollParts, stop: AbortSignal): Promise<boolean> {
  const { clock, log } = parts
  // Waits for all before it reports a failure: nothing may run on after the function returned (L8).
  const settled = await withinTime({ clock, ms: POLL_MAX_MS, signal: stop }, (signal) =>
    Promise.allSettled(parts.sources.map((source) => pollOnly(parts, source, signal))),
  )
  const polls = settled.map((poll) => {
    if (poll.status === 'rejected') throw poll.reason
    return poll.value
  })
  const sourcesFailing = polls.filter(({ failed }) => failed).length
  const waiting = polls.reduce((sum, poll) => sum + poll.waiting, 0)
  if (waiting === 0)
    log.emit({ name: 'loop.alive', working: false, waiting, running: 0, lagMs: 0, sourcesFailing })
  return waiting > 0
}

async function pollOnly(
  parts: Omit<PollParts, 'sources'>,
  source: DemandSource,
  signal: AbortSignal,
): Promise<{ waiting: number; failed: boolean }> {
  const { problem } = parts.templatesInForce
  const status = { source: source.id, checkedAt: parts.clock.now(), waiting: [], refusals: [] }
  if (problem !== null) {
    await parts.store.putSourceStatus({ ...status, state: failing(problem.code, problem.message) })
    return { waiting: 0, failed: true }
  }
  try {
    await source.authenticate(signal)
    const capacity = parts
      .templates()
      .filter((template) => isOffered(template, source.id))
      .map(({ key, labels }) => ({ template: key, labels, available: 0, starting: 0, running: 0 }))
    const answer = await source.poll({ capacity, maxReservations: 0, waitSeconds: 0 }, signal)
    const waiting = answer.waiting.reduce((sum, jobs) => sum + ungranted(jobs), 0)
    if (waiting === 0) await parts.store.putSourceStatus({ ...status, state: { kind: 'ok' } })
    return { waiting, failed: false }
  } catch (thrown) {
    if (!(thrown instanceof SourceError)) throw thrown
    const { kind, message } = thrown
    parts.log.emit({ name: 'source.poll-failed', source: source.id, kind, reason: message })
    await parts.store.putSourceStatus({ ...status, state: conditionAfter(thrown) })
    return { waiting: 0, failed: true }
  }
}
