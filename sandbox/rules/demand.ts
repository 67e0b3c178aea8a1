import type { EpochMs } from '../types.ts'
import { type TemplateSlots, type Units, planAdoptions, planGrants, type WaitingSet } from './grants.ts'
import { labelsKey, serves } from './labels.ts'
import {
  createReservation,
  heldReservation,
  liveReservations,
  RESERVATION_TTL_MAX_MS,
  RESERVATION_TTL_MS,
} from './reservations.ts'
import type { ReservationRow, RunnerRow } from './rows.ts'
import { claimOf, type World } from './world.ts'

/** v2: how long a launched runner may have no session before a poll requests its termination. */
const ACTIVATION_TIMEOUT_MS = 300_000
/** The most runners to terminate in one answer. */
const TERMINATE_INTENTS_MAX = 1000

export type PollRequest = {
  readonly maxReservations: number
  /** Null = the default of 60 s, which is fixed in v1. */
  readonly reservationTtlMs: number | null
  readonly templates: readonly TemplateSlots[]
}

export type PollResult = {
  readonly stats: readonly {
    labels: readonly string[]
    queued: number
    reserved: number
    oldestQueuedAt: EpochMs
  }[]
  readonly reservations: readonly ReservationRow[]
  /** v2: granted units plus units bound to idle runners. */
  readonly newlyReserved: number
  readonly terminate: readonly string[]
  /** Whether the poll is answered at once instead of held. */
  readonly immediate: boolean
}

/** One check of a poll: grants what it can, and decides whether the poll is answered now. */
export function checkDemand(world: World, request: PollRequest, now: EpochMs): PollResult {
  const adopted = world.protocol === 'v2' ? adoptIdleRunners(world, request, now) : 0
  const reservations = grant(world, request, request.maxReservations - adopted, now)
  const granted = reservations.reduce((sum, reservation) => sum + reservation.count, 0)
  const terminate = terminateIntents(world, now)
  const noRoom = request.maxReservations === 0 || request.templates.every((template) => template.free === 0)
  return {
    stats: demandSets(world, now).filter((set) => isServed(request.templates, set.labels)),
    reservations,
    newlyReserved: granted + adopted,
    terminate,
    immediate: noRoom || granted + adopted > 0 || terminate.length > 0,
  }
}

/** Undoes the grants of a poll whose client disconnected before it got the whole answer. */
export function releaseGrants(world: World, reservations: readonly ReservationRow[]): void {
  for (const { id } of reservations) world.reservations.delete(id)
}

function grant(
  world: World,
  request: PollRequest,
  maxReservations: number,
  now: EpochMs,
): readonly ReservationRow[] {
  const served = waitingSets(world, now).filter((set) => isServed(request.templates, set.labels))
  if (served.length === 0) return []
  const grants = planGrants(served, request.templates, heldUnits(world, now), maxReservations)
  const ttlMs = Math.min(request.reservationTtlMs ?? RESERVATION_TTL_MS, RESERVATION_TTL_MAX_MS)
  return grants.map((units) => createReservation(world, { ...units, bound: 0, ttlMs }, now))
}

/** Binds idle runners without a live reservation to waiting jobs, so that nothing has to be launched for these jobs. */
function adoptIdleRunners(world: World, request: PollRequest, now: EpochMs): number {
  const waiting = waitingSets(world, now)
  if (request.maxReservations === 0 || waiting.length === 0) return 0
  const idle = [...world.activeRunners.all('active')].filter((runner) => isIdle(world, runner, now))
  let adopted = 0
  for (const { labels, runners } of planAdoptions(waiting, idle, request.maxReservations)) {
    const count = runners.length
    const { id } = createReservation(world, { labels, count, bound: count, ttlMs: RESERVATION_TTL_MS }, now)
    for (const runner of runners) world.runners.put({ ...runner, reservationId: id, unitReleased: false })
    adopted += count
  }
  return adopted
}

function isIdle(world: World, runner: RunnerRow, now: EpochMs): boolean {
  return (
    runner.enrolledAt !== null && runner.sessionId === null && heldReservation(world, runner, now) === null
  )
}

/** Held units per label set: reserved and not yet a runner instance. v1 has no instances, so all reserved units. */
function heldUnits(world: World, now: EpochMs): readonly Units[] {
  return [...liveReservations(world, now)].map(({ labels, count, bound }) => ({
    labels,
    count: count - bound,
  }))
}

/** The label sets with jobs that are not reserved. */
function waitingSets(world: World, now: EpochMs): readonly WaitingSet[] {
  const sets = demandSets(world, now).map(({ labels, queued, reserved, oldestQueuedAt }) => {
    return { labels, unreserved: queued - reserved, oldestQueuedAt }
  })
  return sets.filter((set) => set.unreserved > 0)
}

/** Every label set with waiting jobs. */
function demandSets(world: World, now: EpochMs): PollResult['stats'] {
  const reserved = reservedByLabels(world, now)
  return [...world.queuedJobs.keys()].flatMap((key) => {
    const oldest = world.queuedJobs.first(key)
    if (oldest === undefined) return []
    const { labels, queuedAt: oldestQueuedAt } = oldest
    return [{ labels, queued: world.queuedJobs.size(key), reserved: reserved.get(key) ?? 0, oldestQueuedAt }]
  })
}

function reservedByLabels(world: World, now: EpochMs): Map<string, number> {
  const units = new Map<string, number>()
  for (const { labels, count } of liveReservations(world, now)) {
    const key = labelsKey(labels)
    units.set(key, (units.get(key) ?? 0) + count)
  }
  return units
}

function isServed(templates: readonly TemplateSlots[], labels: readonly string[]): boolean {
  return templates.some((template) => serves(template.labels, labels))
}

/** Runners that the client must terminate, repeated until it reports their end. */
function terminateIntents(world: World, now: EpochMs): readonly string[] {
  const ids: string[] = []
  for (const runner of world.activeRunners.all('active')) {
    if (runner.providerRunnerId === null) continue
    if (isCancelled(world, runner) || missedActivation(world, runner, now)) ids.push(runner.providerRunnerId)
  }
  return ids.toSorted().slice(0, TERMINATE_INTENTS_MAX)
}

function isCancelled(world: World, runner: RunnerRow): boolean {
  const jobId = runner.sessionId === null ? null : world.sessions.get(runner.sessionId)?.jobId
  const job = jobId === null || jobId === undefined ? undefined : world.jobs.get(jobId)
  return job !== undefined && (claimOf(job)?.cancelRequestedAt ?? null) !== null
}

function missedActivation(world: World, runner: RunnerRow, now: EpochMs): boolean {
  if (world.protocol === 'v1' || runner.intendedReservationId === null || runner.enrolledAt === null)
    return false
  const tooOld = now - runner.createdAt > ACTIVATION_TIMEOUT_MS
  return tooOld && runner.sessionId === null && heldReservation(world, runner, now) === null
}
