import {
  type Assignment,
  type HostId,
  isAssigned,
  type RefusalReason,
  type Slot,
  type Template,
  type TemplateKey,
} from '../../model/index.ts'
import { explainInfeasibility, isUsable, type Lacking, infeasibilityOf } from './feasibility.ts'
import { RoundRobinCursor } from './round-robin.ts'
import type { CapacityPromise, HostView, World } from '../world.ts'

/** How much start work may be queued on a host: half of the 60 s that a reservation lives. */
const START_BACKLOG_MS = 30_000
/** Assumed until a host has been measured: what four overlapping starts of a second each give. */
const STARTS_PER_MINUTE_UNMEASURED = 240

/** What is still free on one host while a plan is made. */
interface RemainingCapacity {
  readonly view: HostView
  cpuMillis: number
  memoryMib: number
  runners: number
  starts: number
  readonly perTemplate: Map<TemplateKey, number>
}

/** The hosts that one template may use, and its round-robin cursor. */
interface Rotation {
  readonly candidates: readonly RemainingCapacity[]
  readonly cursor: RoundRobinCursor
}

/**
 * The free capacity of a fleet, used up unit by unit within one plan. It never grows within a plan, so a host that
 * could not hold a template once is not checked again for it: the cost of a plan is linear in hosts plus units.
 */
export class FreeCapacity {
  readonly #world: World
  /** Computed on first use: most plans touch few hosts. */
  readonly #remaining = new Map<HostView, RemainingCapacity>()
  /** By assignment, of which there are few: all assigned hosts, and those that could take a runner on first use. */
  readonly #assigned = new Map<string, readonly RemainingCapacity[]>()
  readonly #open = new Map<string, readonly RemainingCapacity[]>()
  readonly #rounds = new Map<TemplateKey, Rotation>()
  readonly #live = new Map<TemplateKey, number>()
  readonly #explained = new Map<TemplateKey, RefusalReason>()
  readonly #lastHost: Map<TemplateKey, HostId>

  constructor(world: World, promises: readonly CapacityPromise[] = []) {
    this.#world = world
    this.#lastHost = new Map(world.lastHost)
    for (const [key, count] of world.live) this.#live.set(key, count.starting + count.running)
    for (const { host, slot } of [...(world.claiming ?? []), ...promises]) this.#take(this.#find(host), slot)
  }

  /** The host that each template was last placed on: the next round starts after it. */
  get lastHost(): ReadonlyMap<TemplateKey, HostId> {
    return this.#lastHost
  }

  /** Takes capacity for one runner on the next host that can hold it; null = none can, and none will in this plan. */
  place(template: Template): HostId | null {
    if (this.#isFull(template)) return null
    const { candidates, cursor } = this.#round(template)
    for (let index = cursor.next(); index !== null; index = cursor.next()) {
      const remaining = candidates[index]
      if (remaining !== undefined && this.#fits(template, remaining)) return this.#put(template, remaining)
      cursor.drop(index)
    }
    return null
  }

  /** Takes capacity for one runner on exactly this host; false = the host can't hold it. */
  placeOn(template: Template, host: HostId): boolean {
    const remaining = this.#find(host)
    if (remaining === null || this.#isFull(template)) return false
    if (!isAssigned(template, remaining.view.host) || !this.#fits(template, remaining)) return false
    this.#put(template, remaining)
    return true
  }

  /** Why nothing can hold one more of the template, once `place` has said so: the reason stands for the plan. */
  explain(template: Template): RefusalReason {
    return remember(this.#explained, template.key, () => this.#reason(template))
  }

  #reason(template: Template): RefusalReason {
    if (this.#isFull(template))
      return { code: 'template-full', template: template.key, maxConcurrency: template.maxConcurrency }
    return explainInfeasibility(template, this.#assignedTo(template), this.#world.now, (remaining) =>
      lacking(remaining, template),
    )
  }

  #isFull(template: Template): boolean {
    return (this.#live.get(template.key) ?? 0) >= template.maxConcurrency
  }

  #fits(template: Template, remaining: RemainingCapacity): boolean {
    return (
      lacking(remaining, template) === null &&
      infeasibilityOf(template, remaining.view, this.#world.now) === null
    )
  }

  #put(template: Template, remaining: RemainingCapacity): HostId {
    this.#take(remaining, { template: template.key, ...template.size })
    this.#lastHost.set(template.key, remaining.view.host.id)
    return remaining.view.host.id
  }

  /** A removed host has no capacity, but its runners still count for their template. */
  #take(remaining: RemainingCapacity | null, slot: Slot): void {
    this.#live.set(slot.template, (this.#live.get(slot.template) ?? 0) + 1)
    if (remaining === null) return
    remaining.cpuMillis -= slot.cpuMillis
    remaining.memoryMib -= slot.memoryMib
    remaining.runners -= 1
    remaining.starts -= 1
    remaining.perTemplate.set(slot.template, (remaining.perTemplate.get(slot.template) ?? 0) + 1)
  }

  #round(template: Template): Rotation {
    return remember(this.#rounds, template.key, () => {
      const candidates = this.#openTo(template)
      const last = this.#lastHost.get(template.key)
      const after =
        last === undefined ? 0 : firstWhere(candidates, (remaining) => remaining.view.host.id > last)
      return {
        candidates,
        cursor: new RoundRobinCursor(candidates.length, after === candidates.length ? 0 : after),
      }
    })
  }

  #openTo(template: Template): readonly RemainingCapacity[] {
    return remember(this.#open, textOf(template.hosts), () =>
      this.#assignedTo(template).filter(
        (remaining) =>
          isUsable(remaining.view, this.#world.now) && remaining.runners > 0 && remaining.starts > 0,
      ),
    )
  }

  #assignedTo(template: Template): readonly RemainingCapacity[] {
    return remember(this.#assigned, textOf(template.hosts), () =>
      this.#world.hosts
        .filter((view) => isAssigned(template, view.host))
        .map((view) => this.#remainingOf(view)),
    )
  }

  #find(id: HostId): RemainingCapacity | null {
    const { hosts } = this.#world
    const view = hosts[firstWhere(hosts, ({ host }) => host.id >= id)]
    return view?.host.id === id ? this.#remainingOf(view) : null
  }

  #remainingOf(view: HostView): RemainingCapacity {
    return remember(this.#remaining, view, () => remainingOf(view))
  }
}

function remainingOf(view: HostView): RemainingCapacity {
  const { host } = view
  let { cpuMillis, memoryMib, runners } = host.capacity
  const perTemplate = new Map<TemplateKey, number>()
  for (const slot of host.slots.values()) {
    cpuMillis -= slot.cpuMillis
    memoryMib -= slot.memoryMib
    runners -= 1
    perTemplate.set(slot.template, (perTemplate.get(slot.template) ?? 0) + 1)
  }
  const perMinute = view.liveness?.startsPerMinute ?? STARTS_PER_MINUTE_UNMEASURED
  const starts = Math.max(1, Math.ceil((perMinute * START_BACKLOG_MS) / 60_000)) - view.starting
  return { view, cpuMillis, memoryMib, runners, starts, perTemplate }
}

/** What a host lacks for one more runner of the template; null = the runner fits. */
function lacking(remaining: RemainingCapacity, template: Template): Lacking | null {
  const onHost = remaining.perTemplate.get(template.key) ?? 0
  if (remaining.runners < 1 || (template.perHost !== null && onHost >= template.perHost)) return 'slots'
  if (remaining.cpuMillis < template.size.cpuMillis) return 'cpu'
  if (remaining.memoryMib < template.size.memoryMib) return 'memory'
  return remaining.starts < 1 ? 'starts' : null
}

/** The index of the first item for which `is` is true, in a list that is sorted by `is`. */
function firstWhere<T>(items: readonly T[], is: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && is(item)) high = middle
    else low = middle + 1
  }
  return low
}

function textOf(assignment: Assignment): string {
  return assignment.kind === 'named' ? assignment.namesOrTags.join('\n') : `${assignment.kind}\n`
}

/** The map's value for the key; computed and stored on first use. */
function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
