import { randomUUID } from 'node:crypto'
import type { EpochMs } from '../types.ts'
import type { ReservationRow, RunnerRow } from './rows.ts'
import { reservationOf } from './rows.ts'
import type { World } from './world.ts'

/** Lifetime from the grant; cannot be renewed. */
export const RESERVATION_TTL_MS = 60_000
/** The longest lifetime that a v2 poll may request. */
export const RESERVATION_TTL_MAX_MS = 600_000

export function isLive(reservation: ReservationRow, now: EpochMs): boolean {
  return reservation.count > 0 && reservation.expiresAt > now
}

export function* liveReservations(world: World, now: EpochMs): Iterable<ReservationRow> {
  for (const reservation of world.openReservations.all('open'))
    if (isLive(reservation, now)) yield reservation
}

export function createReservation(
  world: World,
  units: { labels: readonly string[]; count: number; bound: number; ttlMs: number },
  now: EpochMs,
): ReservationRow {
  const { labels, count, bound } = units
  const reservation = {
    id: randomUUID(),
    labels,
    count,
    bound,
    alreadyMinted: 0,
    expiresAt: now + units.ttlMs,
  }
  world.reservations.put(reservation)
  const { id: reservationId, expiresAt } = reservation
  world.emit({ type: 'jobs.reserved', at: now, reservationId, labels, count, expiresAt, adopted: bound > 0 })
  return reservation
}

/**
 * Releases the runner's unit, once per binding. True if a live reservation got smaller. `reservationId`: the reservation
 * to shrink; by default the one in the runner's row.
 */
export function releaseUnit(
  world: World,
  runner: RunnerRow,
  now: EpochMs,
  reservationId: string | null = reservationOf(runner),
): boolean {
  if (runner.unitReleased || reservationId === null) return false
  world.runners.put({ ...runner, unitReleased: true })
  const reservation = world.reservations.get(reservationId)
  if (reservation === undefined || !isLive(reservation, now)) return false
  world.reservations.put({
    ...reservation,
    count: reservation.count - 1,
    bound: Math.max(0, reservation.bound - 1),
  })
  return true
}

/** The live reservation whose unit the runner still holds. */
export function heldReservation(world: World, runner: RunnerRow, now: EpochMs): ReservationRow | null {
  const id = reservationOf(runner)
  const reservation = id === null || runner.unitReleased ? undefined : world.reservations.get(id)
  return reservation !== undefined && isLive(reservation, now) ? reservation : null
}
