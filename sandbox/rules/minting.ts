import { randomUUID } from 'node:crypto'
import type { Secret } from '../../core/model/secret.ts'
import type { EpochMs } from '../types.ts'
import { provisionerOf } from './provisioner.ts'
import { rateLimited, Refusal } from './refusal.ts'
import { serves } from './labels.ts'
import { heldReservation, isLive } from './reservations.ts'
import { isTerminal, type ReservationRow, type RunnerRow } from './rows.ts'
import type { World } from './world.ts'

/** Lifetime of v1 registration tokens and v2 bootstrap tokens, longer than a reservation's. */
const RUNNER_TOKEN_TTL_MS = 300_000
/** v1: mint requests per provisioner token and fixed window, failed ones included. */
const MINT_REQUESTS_MAX = 120
const MINT_WINDOW_MS = 60_000
/** The largest batch that v1 mints, although a valid body may have twice as many entries. */
export const MINT_BATCH_MAX = 500

/** v1: counts a mint request; refuses it above the limit until the window ends. */
export function countMintRequest(world: World, now: EpochMs): void {
  const provisioner = provisionerOf(world)
  const { startedAt, requests } = provisioner.mintWindow
  const open = now < startedAt + MINT_WINDOW_MS
  if (open && requests >= MINT_REQUESTS_MAX) throw rateLimited(startedAt + MINT_WINDOW_MS - now)
  const mintWindow = open ? { startedAt, requests: requests + 1 } : { startedAt: now, requests: 1 }
  world.provisioners.put({ ...provisioner, mintWindow })
}

/** v1: one single-use registration token per runner id, all or none. */
export function mintRegistrationTokens(
  world: World,
  reservationId: string,
  runnerIds: readonly string[],
  now: EpochMs,
): readonly { providerRunnerId: string; token: Secret; expiresAt: EpochMs }[] {
  const requested = runnerIds.length
  if (requested > MINT_BATCH_MAX) {
    throw new Refusal(400, 'batch-too-large', { details: { requested, max: MINT_BATCH_MAX } })
  }
  const reservation = world.reservations.get(reservationId)
  if (reservation === undefined) throw new Refusal(404, 'reservation-not-found')
  if (reservation.expiresAt <= now) throw new Refusal(409, 'reservation-expired')
  const { count, alreadyMinted } = reservation
  if (alreadyMinted + requested > count) {
    const details = { requested, reservation_count: count, already_minted: alreadyMinted }
    throw new Refusal(409, 'batch-exceeds-reservation', { details })
  }
  const active = runnerIds.filter((id) => holdsActiveToken(world, id, now))
  if (active.length > 0) {
    throw new Refusal(409, 'registration-token-active', { details: { provider_runner_ids: active } })
  }
  world.reservations.put({ ...reservation, alreadyMinted: alreadyMinted + requested })
  const expiresAt = now + RUNNER_TOKEN_TTL_MS
  return runnerIds.map((providerRunnerId) => {
    return {
      providerRunnerId,
      expiresAt,
      token: world.mintToken('registration', providerRunnerId, expiresAt),
    }
  })
}

function holdsActiveToken(world: World, providerRunnerId: string, now: EpochMs): boolean {
  const tokens = [...world.registrationTokens.all(providerRunnerId)]
  return tokens.some((token) => token.consumedAt === null && token.expiresAt > now)
}

export type MintedInstance = {
  readonly instanceId: string
  readonly token: Secret
  readonly requestIndex: number
}

/**
 * v2: mints one runner instance and bootstrap token per entry. Entries whose reservation has no unit left are omitted,
 * and `reservationUnavailable` is true; entries without a reservation are warm and always minted.
 */
export function mintRunnerInstances(
  world: World,
  entries: readonly { reservationId: string | null }[],
  now: EpochMs,
): { instances: readonly MintedInstance[]; reservationUnavailable: boolean } {
  const instances: MintedInstance[] = []
  for (const [requestIndex, { reservationId }] of entries.entries()) {
    if (reservationId !== null && !takeUnit(world, reservationId, now)) continue
    const runner = newInstance(reservationId, now)
    world.runners.put(runner)
    const token = world.mintToken('bootstrap', runner.id, now + RUNNER_TOKEN_TTL_MS)
    instances.push({ instanceId: runner.id, token, requestIndex })
  }
  return { instances, reservationUnavailable: instances.length < entries.length }
}

function takeUnit(world: World, reservationId: string, now: EpochMs): boolean {
  const reservation = world.reservations.get(reservationId)
  if (reservation === undefined || !isLive(reservation, now) || reservation.bound >= reservation.count)
    return false
  world.reservations.put({ ...reservation, bound: reservation.bound + 1 })
  return true
}

function newInstance(reservationId: string | null, now: EpochMs): RunnerRow {
  return {
    id: randomUUID(),
    providerRunnerId: null,
    state: 'starting',
    reason: null,
    labels: [],
    intendedReservationId: reservationId,
    reservationId: null,
    unitReleased: false,
    madeBy: 'mint',
    enrolledAt: null,
    sessionId: null,
    createdAt: now,
    reportedAt: now,
  }
}

/** v2: sets the provider runner id of an instance, once. An id that another row has causes a 500, as on the server. */
export function attachProviderRunner(world: World, instanceId: string, providerRunnerId: string): boolean {
  const runner = world.runners.get(instanceId)
  if (runner === undefined || runner.providerRunnerId !== null || isTerminal(runner.state)) return false
  if (world.runnersByProviderId.size(providerRunnerId) > 0) throw new Refusal(500, 'server-error')
  world.runners.put({ ...runner, providerRunnerId })
  return true
}

/** v2: binds waiting, enrolled runners to a live reservation; runners already bound to it stay unchanged. */
export function assignInstances(
  world: World,
  reservationId: string,
  instanceIds: readonly string[],
  now: EpochMs,
): void {
  const reservation = world.reservations.get(reservationId)
  if (reservation === undefined) throw new Refusal(404, 'reservation-not-found')
  if (!isLive(reservation, now)) throw new Refusal(409, 'reservation-expired')
  const runners = instanceIds.map((id) => world.runners.get(id))
  const joining = runners.filter((runner) => runner?.reservationId !== reservationId)
  const room = reservation.count - reservation.bound
  const assignable = joining.filter(
    (runner) => runner !== undefined && canJoin(world, runner, reservation, now),
  )
  if (assignable.length < joining.length || joining.length > room) {
    throw new Refusal(409, 'runner-instance-not-assignable')
  }
  world.reservations.put({ ...reservation, bound: reservation.bound + joining.length })
  for (const runner of assignable) {
    if (runner !== undefined) world.runners.put({ ...runner, reservationId, unitReleased: false })
  }
}

function canJoin(world: World, runner: RunnerRow, reservation: ReservationRow, now: EpochMs): boolean {
  const waits = runner.enrolledAt !== null && runner.sessionId === null && !isTerminal(runner.state)
  return waits && heldReservation(world, runner, now) === null && serves(runner.labels, reservation.labels)
}
