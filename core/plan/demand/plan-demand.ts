import {
  type HostId,
  isOffered,
  type SourceId,
  type Template,
  type TemplateCapacity,
  type TemplateKey,
} from '../../model/index.ts'
import { JobPlacer, type Placement } from '../placement/job-placer.ts'
import { FreeCapacity } from '../placement/free-capacity.ts'
import { type CapacityPromise, oldestFirst, type SourceDemand, ungranted, type World } from '../world.ts'

export interface DemandPlan {
  readonly capacity: readonly TemplateCapacity[]
  /** The sum of the capacity asked for: more could not be placed. */
  readonly total: number
  /** Capacity that stays promised to this source while its poll is open, and to the units that the poll grants. */
  readonly promises: readonly CapacityPromise[]
}

/**
 * What to ask one source for: first its known jobs, then any mix of templates that still fits. Everything that is asked
 * for fits at once, so no reservation is drawn that no host can hold. Capacity promised to open polls of other sources
 * is not offered twice. Known jobs of sources without an open poll get their share, unit by unit.
 */
export function planDemand(
  world: World,
  me: SourceDemand,
  others: readonly SourceDemand[],
  limit: number,
): DemandPlan {
  const free = new FreeCapacity(
    world,
    others.flatMap((other) => other.promises),
  )
  const wanted = new Wanted(me.source, limit)
  const rivals = others.filter((other) => other.promises.length === 0)
  placeKnownJobs(new JobPlacer(free, world.templates), [me, ...rivals], wanted)
  fillWithAnyMix(world, free, rivals, wanted)
  return wanted.ask(world)
}

/** Collects what is placed for one source. */
class Wanted {
  readonly source: SourceId
  readonly #limit: number
  readonly #promises: CapacityPromise[] = []
  readonly #perTemplate = new Map<TemplateKey, number>()

  constructor(source: SourceId, limit: number) {
    this.source = source
    this.#limit = limit
  }

  get full(): boolean {
    return this.#promises.length >= this.#limit
  }

  add(template: Template, host: HostId): void {
    this.#promises.push({ host, slot: { template: template.key, ...template.size } })
    this.#perTemplate.set(template.key, (this.#perTemplate.get(template.key) ?? 0) + 1)
  }

  ask(world: World): DemandPlan {
    const capacity = world.templates
      .filter((template) => isOffered(template, this.source))
      .map((template) => ({
        template: template.key,
        labels: template.labels,
        available: this.#perTemplate.get(template.key) ?? 0,
        starting: world.live.get(template.key)?.starting ?? 0,
        running: world.live.get(template.key)?.running ?? 0,
      }))
    return { capacity, total: this.#promises.length, promises: this.#promises }
  }
}

/** One unit per source in turn, fewest live runners first, until none of them has a job left that fits. */
function placeKnownJobs(placer: JobPlacer, sources: readonly SourceDemand[], wanted: Wanted): void {
  let turns = sources
    .toSorted((left, right) => (left.live ?? 0) - (right.live ?? 0))
    .map((demand) => ({ source: demand.source, placements: placementsOf(placer, demand) }))
  while (turns.length > 0) {
    turns = turns.filter(({ source, placements }) => {
      const isMine = source === wanted.source
      if (isMine && wanted.full) return false
      const placed = placements.next()
      if (placed.done === true) return false
      if (isMine) wanted.add(placed.value.template, placed.value.host)
      return true
    })
  }
}

/** Places a source's known jobs, one per step, oldest label set first; those that do not fit are skipped. */
function* placementsOf(placer: JobPlacer, demand: SourceDemand): Generator<Placement> {
  for (const jobs of oldestFirst(demand.waiting)) {
    for (let unit = ungranted(jobs); unit > 0; unit -= 1) {
      const placed = placer.place(demand.source, jobs.labels)
      if (placed === null) break
      yield placed
    }
  }
}

/**
 * For jobs not seen yet: one more of each template in turn while it fits, and as many for each rival source that is
 * offered the template.
 */
function fillWithAnyMix(
  world: World,
  free: FreeCapacity,
  rivals: readonly SourceDemand[],
  wanted: Wanted,
): void {
  let open = world.templates
    .filter((template) => isOffered(template, wanted.source))
    .map((template) => ({ template, rivals: rivals.filter((rival) => isOffered(template, rival.source)) }))
  while (open.length > 0 && !wanted.full) {
    open = open.filter(({ template, rivals: sharing }) => {
      const host = wanted.full ? null : free.place(template)
      if (host === null) return false
      wanted.add(template, host)
      for (const _ of sharing) free.place(template)
      return true
    })
  }
}
