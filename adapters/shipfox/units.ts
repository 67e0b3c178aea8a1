import type { PollRequest, ReservationId, RunnerId, TemplateKey } from '../../core/model/index.ts'
import { COUNT_MAX, RESERVATIONS_MAX } from './wire.ts'

/**
 * The double count of v1. A v1 server takes our live reserved units off the slots that we advertise until they
 * expire, also once they are runners, which our own count of free slots has left out already: 10 slots, 6 granted
 * and running, 4 free, 4 new jobs, and nothing is granted. So the units that became runners are added back.
 */

export interface AdvertisedSlots {
  /** In the order of the request's capacity. */
  readonly slots: readonly number[]
  readonly maxReservations: number
}

/**
 * What to advertise to v1. `minted`: per template, units that became runners and that the server will take off
 * during the whole poll. However the server spreads those over templates, it can't grant more than what is really
 * free: the sum of the free slots bounds the units of the poll.
 */
export function advertise(request: PollRequest, minted: ReadonlyMap<TemplateKey, number>): AdvertisedSlots {
  const free = request.capacity.map(({ available }) => within(available, COUNT_MAX))
  const freeInTotal = free.reduce((sum, slots) => sum + slots, 0)
  const slots = request.capacity.map(({ template }, index) =>
    within((free[index] ?? 0) + (freeInTotal === 0 ? 0 : (minted.get(template) ?? 0)), COUNT_MAX),
  )
  return { slots, maxReservations: within(Math.min(request.maxReservations, freeInTotal), RESERVATIONS_MAX) }
}

/** A whole number from 0 to `max`, as the wire wants it; what is no number is 0. */
export function within(value: number, max: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), max)
}

interface Unit {
  readonly template: TemplateKey
  readonly endsAtMs: number
}

/**
 * Our own units that v1 still counts, by the hub's monotonic clock. A hint of this process: after a restart it is
 * empty, and then v1 grants less than it could until the units expire, never more.
 */
export class MintedUnits {
  readonly #grants = new Map<ReservationId, number>()
  readonly #units = new Map<string, Unit>()

  /** `endsAtMs`: the server counts its units until then at least. */
  granted(reservation: ReservationId, endsAtMs: number): void {
    this.#grants.set(reservation, endsAtMs)
  }

  /** From its mint on a runner surely holds a slot, so its unit is no longer one of the free ones. */
  minted(reservation: ReservationId, runner: RunnerId, template: TemplateKey): void {
    const endsAtMs = this.#grants.get(reservation)
    if (endsAtMs !== undefined) this.#units.set(runner, { template, endsAtMs })
  }

  /** The server has, or may have, given the unit of this runner back. */
  returned(runner: string): void {
    this.#units.delete(runner)
  }

  /** Units per template that the server counts from `nowMs` until `untilMs` at least. */
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
