import { serves } from './labels.ts'

/** Waiting jobs of one label set, minus the units already reserved for them. */
export type WaitingSet = {
  readonly labels: readonly string[]
  readonly unreserved: number
  readonly oldestQueuedAt: number
}

export type TemplateSlots = { readonly labels: readonly string[]; readonly free: number }

/** A number of units of one label set. */
export type Units = { readonly labels: readonly string[]; readonly count: number }

/**
 * The grants of one poll: at most one reservation per label set, the most specific set (most labels) first, then the set
 * with the oldest job. `held`: the client's reserved units, which take their slots first.
 */
export function planGrants(
  waiting: readonly WaitingSet[],
  templates: readonly TemplateSlots[],
  held: readonly Units[],
  maxReservations: number,
): readonly Units[] {
  const slots = new Slots(templates)
  for (const units of held) slots.take(units.labels, units.count)
  const grants: Units[] = []
  let left = maxReservations
  for (const set of waiting.toSorted(bySpecificityThenAge)) {
    const count = slots.take(set.labels, Math.min(set.unreserved, left))
    if (count === 0) continue
    left -= count
    grants.push({ labels: set.labels, count })
  }
  return grants
}

/** Assigns idle runners to waiting jobs, in the same order of label sets. Returns the runners per set. */
export function planAdoptions<R extends { readonly labels: readonly string[] }>(
  waiting: readonly WaitingSet[],
  idle: readonly R[],
  maxReservations: number,
): readonly { labels: readonly string[]; runners: readonly R[] }[] {
  let left = maxReservations
  let free = idle
  const adoptions: { labels: readonly string[]; runners: readonly R[] }[] = []
  for (const set of waiting.toSorted(bySpecificityThenAge)) {
    const wanted = Math.min(set.unreserved, left)
    const runners = free.filter((runner) => serves(runner.labels, set.labels)).slice(0, wanted)
    if (runners.length === 0) continue
    left -= runners.length
    const taken = new Set(runners)
    free = free.filter((runner) => !taken.has(runner))
    adoptions.push({ labels: set.labels, runners })
  }
  return adoptions
}

function bySpecificityThenAge(a: WaitingSet, b: WaitingSet): number {
  return b.labels.length - a.labels.length || a.oldestQueuedAt - b.oldestQueuedAt
}

/** The free slots of a poll's templates, shared by all label sets that they serve. */
class Slots {
  readonly #templates: { labels: readonly string[]; free: number }[]

  /** Templates with the fewest labels first, so that templates with more labels stay free for sets that need them. */
  constructor(templates: readonly TemplateSlots[]) {
    this.#templates = templates
      .map((template) => ({ ...template }))
      .toSorted((a, b) => a.labels.length - b.labels.length)
  }

  /** Takes up to `wanted` slots that serve the labels, and returns how many it took. */
  take(labels: readonly string[], wanted: number): number {
    let left = wanted
    for (const template of this.#templates) {
      if (left === 0) break
      if (!serves(template.labels, labels)) continue
      const taken = Math.min(template.free, left)
      template.free -= taken
      left -= taken
    }
    return wanted - left
  }
}
