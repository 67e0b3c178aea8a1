import { randomUUID } from 'node:crypto'
import type { EpochMs, Job } from '../types.ts'
import { releaseUnit } from './reservations.ts'
import { isInWorkspace, isTerminal, rankOf, type RunnerRow, type RunnerState } from './rows.ts'
import { claimOf, type World } from './world.ts'

/** A row that was last reported longer ago than this counts as absent if a reconcile omits it. */
const ABSENT_AFTER_MS = 120_000
/** Both the row and its provisioner must be silent for this long before the minutely job ends the row. */
const STALE_AFTER_MS = 300_000
/** Interval at which reports that change only the time are journaled. */
const REPORT_JOURNAL_MS = 10_000

export type RunnerEvent = {
  readonly providerRunnerId: string
  readonly reservationId: string | null
  readonly labels: readonly string[]
  readonly state: RunnerState
  readonly reason: string | null
  readonly reportedAt: EpochMs
}

/** Applies a batch. `accepted` counts distinct runners, changed or not. */
export function reportRunners(
  world: World,
  events: readonly RunnerEvent[],
  now: EpochMs,
): { accepted: number; reservationsReleased: number } {
  const survivors = onePerRunner(
    events.map((event) => ({ ...event, reportedAt: Math.min(event.reportedAt, now) })),
  )
  let reservationsReleased = 0
  for (const event of survivors) if (applyEvent(world, event, now)) reservationsReleased += 1
  return { accepted: survivors.length, reservationsReleased }
}

/** The event with the highest rank wins; among equal ranks, the newest. */
function onePerRunner(events: readonly RunnerEvent[]): readonly RunnerEvent[] {
  const best = new Map<string, RunnerEvent>()
  for (const event of events) {
    const rival = best.get(event.providerRunnerId)
    if (rival === undefined || outranks(event, rival)) best.set(event.providerRunnerId, event)
  }
  return [...best.values()]
}

function outranks(event: Pick<RunnerEvent, 'state' | 'reportedAt'>, stored: typeof event): boolean {
  return (rankOf(event.state) - rankOf(stored.state) || event.reportedAt - stored.reportedAt) >= 0
}

/** True if the event released a unit. */
function applyEvent(world: World, event: RunnerEvent, now: EpochMs): boolean {
  const known = runnerByProviderId(world, event.providerRunnerId)
  if (known !== undefined && !outranks(event, known)) return false
  const runner = known === undefined ? runnerFromEvent(world, event, now) : merged(world, known, event)
  const worthJournaling = known === undefined || known.state !== runner.state || isLater(runner, known)
  if (worthJournaling) world.runners.put(runner)
  else world.runners.hold(runner)
  if (!isTerminal(event.state)) return false
  return releaseOnEnd(world, runner, now, event.reservationId)
}

function isLater(runner: RunnerRow, known: RunnerRow): boolean {
  return (
    Math.floor(runner.reportedAt / REPORT_JOURNAL_MS) !== Math.floor(known.reportedAt / REPORT_JOURNAL_MS)
  )
}

/** v1 releases a unit only if the runner never registered; v2 always does, by its own record of the reservation. */
function releaseOnEnd(world: World, runner: RunnerRow, now: EpochMs, reported: string | null): boolean {
  if (world.protocol === 'v2') return releaseUnit(world, runner, now)
  if (runner.sessionId !== null) return false
  return releaseUnit(world, runner, now, reported ?? runner.reservationId)
}

function runnerFromEvent(world: World, event: RunnerEvent, now: EpochMs): RunnerRow {
  const { providerRunnerId, state, reason, labels, reportedAt } = event
  return {
    id: randomUUID(),
    providerRunnerId,
    state,
    reason,
    labels,
    intendedReservationId: null,
    reservationId: world.protocol === 'v1' ? event.reservationId : null,
    unitReleased: false,
    madeBy: 'report',
    enrolledAt: null,
    sessionId: world.sessionsByRunner.first(providerRunnerId)?.id ?? null,
    createdAt: now,
    reportedAt,
  }
}

function merged(world: World, runner: RunnerRow, event: RunnerEvent): RunnerRow {
  const { state, reason, reportedAt } = event
  if (world.protocol === 'v2') {
    const labels = runner.enrolledAt === null ? event.labels : runner.labels
    return { ...runner, state, reason, reportedAt, labels }
  }
  const reservationId = event.reservationId ?? runner.reservationId
  return { ...runner, state, reason, reportedAt, labels: event.labels, reservationId }
}

export type ReconciledRunner = {
  readonly providerRunnerId: string
  readonly runner: RunnerRow | null
  readonly job: Job | null
  readonly terminate: boolean
}

/** Returns one row per observed id, and ends silent rows that the (non-empty) list omits, returning their ids. */
export function reconcileRunners(
  world: World,
  observed: readonly string[],
  now: EpochMs,
): { runners: readonly ReconciledRunner[]; terminatedAbsent: readonly string[] } {
  const runners = observed.map((providerRunnerId) => reconciledRunner(world, providerRunnerId))
  return {
    runners,
    terminatedAbsent: observed.length === 0 ? [] : terminateAbsent(world, new Set(observed), now),
  }
}

function reconciledRunner(world: World, providerRunnerId: string): ReconciledRunner {
  const runner = runnerByProviderId(world, providerRunnerId)
  if (runner === undefined || !isInWorkspace(runner)) {
    return { providerRunnerId, runner: null, job: null, terminate: false }
  }
  const job = boundJob(world, runner)
  const cancelled = job !== null && (claimOf(job)?.cancelRequestedAt ?? null) !== null
  return { providerRunnerId, runner, job, terminate: isTerminal(runner.state) || cancelled }
}

function terminateAbsent(world: World, observed: ReadonlySet<string>, now: EpochMs): readonly string[] {
  const ended: string[] = []
  for (const runner of world.activeRunners.all('active')) {
    const { providerRunnerId, reportedAt } = runner
    if (providerRunnerId === null || observed.has(providerRunnerId) || !isInWorkspace(runner)) continue
    if (now - reportedAt <= ABSENT_AFTER_MS) continue
    endRunner(world, runner, 'terminated', 'absent', now)
    ended.push(providerRunnerId)
  }
  return ended
}

/** Runs every minute: ends runners that are silent and whose provisioner is silent as well. */
export function failStaleRunners(world: World, now: EpochMs): void {
  if (now - world.provisionerSeenAt <= STALE_AFTER_MS) return
  for (const runner of world.activeRunners.all('active')) {
    if (runner.sessionId !== null || now - runner.reportedAt <= STALE_AFTER_MS) continue
    endRunner(world, runner, 'failed', 'stale-provisioner', now)
  }
}

function endRunner(world: World, runner: RunnerRow, state: RunnerState, reason: string, now: EpochMs): void {
  const ended = { ...runner, state, reason, reportedAt: now }
  world.runners.put(ended)
  releaseOnEnd(world, ended, now, null)
}

export function runnerByProviderId(world: World, providerRunnerId: string): RunnerRow | undefined {
  return world.runnersByProviderId.first(providerRunnerId)
}

function boundJob(world: World, runner: RunnerRow): Job | null {
  const jobId = runner.sessionId === null ? null : world.sessions.get(runner.sessionId)?.jobId
  return jobId === null || jobId === undefined ? null : (world.jobs.get(jobId) ?? null)
}
