import {
  type HostId,
  isOffered,
  type Refusal,
  type Reservation,
  type SourceId,
  type Template,
  type TemplateKey,
} from '../../model/index.ts'
import { matchingTemplates } from '../placement/match-templates.ts'
import { JobPlacer } from '../placement/job-placer.ts'
import { PromisedSlots } from '../placement/promised-slots.ts'
import { FreeCapacity } from '../placement/free-capacity.ts'
import type { CapacityPromise, World } from '../world.ts'

/** One granted unit and where it goes. A warm runner has no reservation. */
export interface PlannedRunner {
  readonly source: SourceId
  readonly reservation: Reservation | null
  readonly template: Template
  readonly host: HostId
}

export interface ClaimPlan {
  readonly runners: readonly PlannedRunner[]
  /** Granted units that no host can hold now; they return to the source when their reservation ends. */
  readonly refusals: readonly Refusal[]
  readonly lastHost: ReadonlyMap<TemplateKey, HostId>
}

/**
 * Pairs granted units with hosts. `promises`: capacity promised to open polls of other sources. `promised`: capacity
 * promised to the poll that granted these units; they are placed there first, because placed anew, in the order of the
 * grants, they might not all fit.
 */
export function planClaims(
  world: World,
  source: SourceId,
  reservations: readonly Reservation[],
  promises: readonly CapacityPromise[],
  promised: readonly CapacityPromise[] = [],
): ClaimPlan {
  const free = new FreeCapacity(world, promises)
  const placer = new JobPlacer(free, world.templates)
  const kept = keepPromises(world, source, reservations, promises, promised)
  const runners = kept.runners.filter(({ template, host }) => free.placeOn(template, host))
  const refusals: Refusal[] = []
  for (const { reservation, count } of kept.rest) {
    const placed = placer.placeUpTo(count, source, reservation.labels)
    for (const placement of placed) runners.push({ source, reservation, ...placement })
    if (placed.length === count) continue
    const { labels } = reservation
    refusals.push({ source, labels, count: count - placed.length, reason: placer.explain(source, labels) })
  }
  return { runners, refusals, lastHost: free.lastHost }
}

/** Places units on the slots that were promised for them and are still free; the rest is placed anew. */
function keepPromises(
  world: World,
  source: SourceId,
  reservations: readonly Reservation[],
  promises: readonly CapacityPromise[],
  promised: readonly CapacityPromise[],
): { runners: readonly PlannedRunner[]; rest: readonly { reservation: Reservation; count: number }[] } {
  const templates = new Map(world.templates.map((template) => [template.key, template]))
  const free = new FreeCapacity(world, promises)
  const standing = promised.filter(({ host, slot }) => {
    const template = templates.get(slot.template)
    return template !== undefined && free.placeOn(template, host)
  })
  const choices = new Map(
    reservations.map((reservation) => [
      reservation,
      matchingTemplates(world.templates, source, reservation.labels),
    ]),
  )
  const slots = new PromisedSlots(standing, (reservation) => choices.get(reservation) ?? [])
  const rest = reservations.map((reservation) => ({
    reservation,
    count: reservation.count - slots.give(reservation),
  }))
  const runners = [...slots.given()].flatMap(({ reservation, template: key, host }): PlannedRunner | [] => {
    const template = templates.get(key)
    return template === undefined ? [] : { source, reservation, template, host }
  })
  return { runners, rest: rest.filter(({ count }) => count > 0) }
}

/** Runners to start although no job waits, so that each template keeps its target of live runners. */
export function planWarm(world: World, source: SourceId, promises: readonly CapacityPromise[]): ClaimPlan {
  const free = new FreeCapacity(world, promises)
  const claiming = Map.groupBy(world.claiming ?? [], ({ slot }) => slot.template)
  const runners: PlannedRunner[] = []
  for (const template of world.templates) {
    if (!isOffered(template, source)) continue
    const { starting, running } = world.live.get(template.key) ?? { starting: 0, running: 0 }
    const live = starting + running + (claiming.get(template.key)?.length ?? 0)
    for (let count = live; count < template.targetConcurrency; count += 1) {
      const host = free.place(template)
      if (host === null) break
      runners.push({ source, reservation: null, template, host })
    }
  }
  return { runners, refusals: [], lastHost: free.lastHost }
}
