import type { HostId, Reservation, Template, TemplateKey } from '../../model/index.ts'
import type { CapacityPromise } from '../world.ts'

/**
 * Assigns the slots that were promised to a poll to the units that the poll granted. A source counts slots per template
 * and picks templates for its label sets by rules of its own, so units move to other templates where that frees a slot
 * for one more: every unit that was granted within the asked capacity gets a slot.
 */
export class PromisedSlots {
  readonly #hosts: ReadonlyMap<TemplateKey, readonly HostId[]>
  readonly #choose: (reservation: Reservation) => readonly Template[]
  readonly #given = new Map<TemplateKey, Reservation[]>()

  /** `choose`: the templates that provide a reservation's labels, best first. */
  constructor(
    promises: readonly CapacityPromise[],
    choose: (reservation: Reservation) => readonly Template[],
  ) {
    const byTemplate = Map.groupBy(promises, ({ slot }) => slot.template)
    this.#hosts = new Map([...byTemplate].map(([key, group]) => [key, group.map(({ host }) => host)]))
    this.#choose = choose
  }

  /** Gives slots to up to `count` units of a reservation and says how many got one. */
  give(reservation: Reservation): number {
    for (let unit = 0; unit < reservation.count; unit += 1)
      if (!this.#giveOne(reservation, new Set())) return unit
    return reservation.count
  }

  /** Which reservation got which slot, template by template, each in the order of the promises. */
  *given(): Generator<{ reservation: Reservation; template: TemplateKey; host: HostId }> {
    for (const [template, hosts] of this.#hosts) {
      for (const [index, reservation] of (this.#given.get(template) ?? []).entries()) {
        const host = hosts[index]
        if (host !== undefined) yield { reservation, template, host }
      }
    }
  }

  /** An augmenting path of a bipartite matching; `passed` are the templates that this path can't gain from. */
  #giveOne(reservation: Reservation, passed: Set<TemplateKey>): boolean {
    const choice = this.#choose(reservation).filter(({ key }) => this.#hosts.has(key) && !passed.has(key))
    const free = choice.find(({ key }) => this.#givenOf(key).length < (this.#hosts.get(key)?.length ?? 0))
    if (free !== undefined) {
      this.#givenOf(free.key).push(reservation)
      return true
    }
    for (const { key } of choice) {
      if (passed.has(key)) continue
      passed.add(key)
      const given = this.#givenOf(key)
      const mover = [...new Set(given)].find((other) => this.#giveOne(other, passed))
      if (mover === undefined) continue
      given[given.indexOf(mover)] = reservation
      return true
    }
    return false
  }

  #givenOf(key: TemplateKey): Reservation[] {
    const known = this.#given.get(key)
    if (known !== undefined) return known
    const given: Reservation[] = []
    this.#given.set(key, given)
    return given
  }
}
