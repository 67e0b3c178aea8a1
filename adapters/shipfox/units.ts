import {
  CONCURRENCY_MAX,
  type PollRequest,
  type ReservationId,
  type RunnerId,
  type TemplateKey,
} from '../../core/model/index.ts'
import { RESERVATIONS_MAX } from './wire.ts'

/**
 * Compensates a double count of v1. A v1 server subtracts our reserved units from the advertised slots until they
 * expire, even when they are runners already, which the free slots do not include: with 10 slots, 6 granted and
 * running, 4 free and 4 new jobs, it would grant nothing. So units that became runners are added to the advertised slots.
 */

export interface AdvertisedSlots {
  /** In the order of `request.capacity`. */
  readonly slots: readonly number[]
  readonly maxReservations: number
}

/**
 * What to advertise to v1. `minted`: per template, the units that became runners and that the server subtracts during
 * the whole poll. However the server distributes them over templates, it can't grant more units than there are free
 * slots, because their sum is the limit of the poll.
 */
export function advertise(request: PollRequest, minted: ReadonlyMap<TemplateKey, number>): AdvertisedSlots {
  const free = request.capacity.map(({ available }) => within(available, CONCURRENCY_MAX))
  const freeInTotal = free.reduce((sum, slots) => sum + slots, 0)
  const slots = request.capacity.map(({ template }, index) =>
    within((free[index] ?? 0) + (freeInTotal === 0 ? 0 : (minted.get(template) ?? 0)), CONCURRENCY_MAX),
  )
  return { slots, maxReservations: within(Math.min(request.maxReservations, freeInTotal), RESERVATIONS_MAX) }
}

/** The value as a whole number from 0 to `max`; NaN gives 0. */
export function within(value: number, max: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), max)
}

interface Unit {
  readonly template: TemplateKey
  readonly endsAtMs: number
}

/**
 * Our units that v1 still subtracts. Times are by the hub's monotonic clock. Kept in memory only: after a restart it is
 * empty, so v1 grants less than it could until the units expire, but never more.
 */
export class MintedUnits {
  readonly #grants = new Map<ReservationId, number>()
  readonly #units = new Map<string, Unit>()

  /** `endsAtMs`: the server subtracts its units at least until then. */
  granted(reservation: ReservationId, endsAtMs: number): void {
    this.#grants.set(reservation, endsAtMs)
  }

  /** A minted runner holds a slot, so its unit is no longer among the free slots. */
  minted(reservation: ReservationId, runner: RunnerId, template: TemplateKey): void {
    const endsAtMs = this.#grants.get(reservation)
    if (endsAtMs !== undefined) this.#units.set(runner, { template, endsAtMs })
  }

  /** The server has released, or may have released, the unit of this runner. */
  returned(runner: string): void {
    this.#units.delete(runner)
  }

  /** Units per template that the server subtracts from `nowMs` at least until `untilMs`. */
  countedUntil(untilMs: number, nowMs: number): ReadonlyMap<TemplateKey, number> {
    for (const [id, endsAtMs] of this.#grants) if (endsAtMs <= nowMs) this.#grants.delete(id)
    const counts = new Map<TemplateKey, number>()
    for (const [runner, { template, endsAtMs }] of this.#units) {
      if (endsAtMs <= nowMs) this.#units.delete(runner)
      else if (endsAtMs > untilMs) counts.set(template, (counts.get(template) ?? 0) + 1)
    }
    return counts
  }
}
