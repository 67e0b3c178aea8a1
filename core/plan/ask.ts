import {
  isOffered,
  type SourceId,
  type Template,
  type TemplateCapacity,
  type TemplateKey,
} from '../model/index.ts'
import { JobPlacer } from './place-jobs.ts'
import { Rooms } from './rooms.ts'
import { type Hold, type SourceDemand, ungranted, type World } from './world.ts'

export interface Ask {
  readonly capacity: readonly TemplateCapacity[]
  /** The sum of what is asked for: more could not be placed. */
  readonly total: number
  /** The room that stays promised to this source while its poll is open. */
  readonly holds: readonly Hold[]
}

/**
 * What to ask one source for: first the jobs that it is known to hold, then whatever mix still fits. Everything
 * asked for fits at once, so no reservation is drawn that nothing can hold. Room promised to open polls of other
 * sources is not offered twice; known jobs of the others that no poll is open for get their share, unit by unit.
 */
export function planAsk(world: World, me: SourceDemand, others: readonly SourceDemand[], limit: number): Ask {
  const rooms = new Rooms(
    world,
    others.flatMap((other) => other.holds),
  )
  const wanted = new Wanted(me.source, limit)
  const rivals = others.filter((other) => other.holds.length === 0)
  placeKnownJobs(world, rooms, [me, ...rivals], wanted)
  fillWithAnyMix(world, rooms, me.source, rivals.length, wanted)
  return wanted.ask(world)
}

/** Collects what is placed for one source. */
class Wanted {
  readonly source: SourceId
  readonly #limit: number
  readonly #holds: Hold[] = []
  readonly #perTemplate = new Map<TemplateKey, number>()

  constructor(source: SourceId, limit: number) {
    this.source = source
    this.#limit = limit
  }

  get full(): boolean {
    return this.#holds.length >= this.#limit
  }

  add(template: Template, host: Hold['host']): void {
    this.#holds.push({ host, slot: { template: template.key, ...template.size } })
    this.#perTemplate.set(template.key, (this.#perTemplate.get(template.key) ?? 0) + 1)
  }

  ask(world: World): Ask {
    const capacity = world.templates
      .filter((template) => isOffered(template, this.source))
      .map((template) => ({
        template: template.key,
        labels: template.labels,
        available: this.#perTemplate.get(template.key) ?? 0,
        starting: world.live.get(template.key)?.starting ?? 0,
        running: world.live.get(template.key)?.running ?? 0,
      }))
    return { capacity, total: this.#holds.length, holds: this.#holds }
  }
}

/** One unit per source in turn, oldest label sets first, until each is placed or refused. */
function placeKnownJobs(world: World, rooms: Rooms, sources: readonly SourceDemand[], wanted: Wanted): void {
  const placer = new JobPlacer(rooms, world.templates)
  const queues = sources.map((demand) => ({ source: demand.source, units: unitsOf(demand) }))
  let live = queues
  while (live.length > 0) {
    live = live.filter(({ source, units }) => {
      if (source === wanted.source && wanted.full) return false
      const next = units.next()
      if (next.done === true) return false
      const placed = placer.place(source, next.value)
      if ('host' in placed && source === wanted.source) wanted.add(placed.template, placed.host)
      return true
    })
  }
}

function* unitsOf(demand: SourceDemand): Generator<readonly string[]> {
  const oldestFirst = demand.waiting.toSorted(
    (left, right) => (left.oldestQueuedAt ?? Infinity) - (right.oldestQueuedAt ?? Infinity),
  )
  for (const waiting of oldestFirst) {
    for (let unit = ungranted(waiting); unit > 0; unit -= 1) yield waiting.labels
  }
}

/** For jobs not seen yet: one more of each template in turn while it fits; every `rivals + 1`-th unit is this source's. */
function fillWithAnyMix(world: World, rooms: Rooms, source: SourceId, rivals: number, wanted: Wanted): void {
  let open = world.templates.filter((template) => isOffered(template, source))
  while (open.length > 0 && !wanted.full) {
    open = open.filter((template) => {
      if (wanted.full) return false
      const placed = rooms.place(template)
      if (!('host' in placed)) return false
      wanted.add(template, placed.host)
      for (let rival = 0; rival < rivals; rival += 1) rooms.place(template)
      return true
    })
  }
}
