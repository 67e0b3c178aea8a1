import { serves } from './labels.ts'

/** Jobs that wait under one label set, less the units that are reserved for them already. */
export type WaitingSet = {
  readonly labels: readonly string[]
  readonly unreserved: number
  readonly oldestQueuedAt: number
}

export type TemplateSlots = { readonly labels: readonly string[]; readonly free: number }

/** A number of units of one label set. */
export type Units = { readonly labels: readonly string[]; readonly count: number }

/**
 * What one poll grants: at most one reservation per label set, the most specific set (most labels) first, then the
 * one whose oldest job waits longest. `held` are the client's own reserved units, which take slots before anyone.
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

/** Pairs waiting jobs with runners that idle already, in the same order of sets. Shows the runners per set. */
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

/** The free slots of a poll's templates, shared by every label set that they serve. */
class Slots {
  readonly #templates: { labels: readonly string[]; free: number }[]

  /** The tightest template first, so that the wide ones stay free for sets that only they serve. */
  constructor(templates: readonly TemplateSlots[]) {
    this.#templates = templates
      .map((template) => ({ ...template }))
      .toSorted((a, b) => a.labels.length - b.labels.length)
  }

  /** Takes up to `wanted` slots that serve the labels and says how many there were. */
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
