import {
  type Assignment,
  type HostId,
  isAssigned,
  type RefusalReason,
  type Slot,
  type Template,
  type TemplateKey,
} from '../../model/index.ts'
import { explainObstacle, isUsable, type Lacking, obstacleOf } from './feasibility.ts'
import { Ring } from './round-robin.ts'
import type { Hold, HostView, World } from '../world.ts'

/** How far ahead work may pile up on a host: half of the 60 s that a reservation lives. */
const START_BACKLOG_MS = 30_000
/** Assumed until a host has been measured: what four overlapping starts of a second each give. */
const STARTS_PER_MINUTE_UNMEASURED = 240

/** What is left of one host while a plan is being made. */
interface Room {
  readonly view: HostView
  cpuMillis: number
  memoryMib: number
  runners: number
  starts: number
  readonly perTemplate: Map<TemplateKey, number>
}

/** The rooms that one template may use, and how far round-robin has come. */
interface Round {
  readonly rooms: readonly Room[]
  readonly ring: Ring
}

/**
 * The free room of a fleet, used up unit by unit within one plan. Room only ever shrinks here, so a host that could
 * not hold a template once is never looked at again for it: a plan is linear in hosts plus units.
 */
export class Rooms {
  readonly #world: World
  /** Made when first looked at: most plans touch few hosts. */
  readonly #rooms = new Map<HostView, Room>()
  /** By assignment, of which there are few; and of those the rooms that took anything when first looked at. */
  readonly #assigned = new Map<string, readonly Room[]>()
  readonly #open = new Map<string, readonly Room[]>()
  readonly #rounds = new Map<TemplateKey, Round>()
  readonly #live = new Map<TemplateKey, number>()
  readonly #explained = new Map<TemplateKey, RefusalReason>()
  readonly #lastHost: Map<TemplateKey, HostId>

  constructor(world: World, holds: readonly Hold[] = []) {
    this.#world = world
    this.#lastHost = new Map(world.lastHost)
    for (const [key, count] of world.live) this.#live.set(key, count.starting + count.running)
    for (const { host, slot } of [...(world.claiming ?? []), ...holds]) this.#take(this.#find(host), slot)
  }

  /** Where the next round-robin of each template goes on. */
  get lastHost(): ReadonlyMap<TemplateKey, HostId> {
    return this.#lastHost
  }

  /** Takes room for one runner on the next host that can hold it; null = none can, and none will in this plan. */
  place(template: Template): HostId | null {
    if (this.#isFull(template)) return null
    const { rooms, ring } = this.#round(template)
    for (let index = ring.next(); index !== null; index = ring.next()) {
      const room = rooms[index]
      if (room !== undefined && this.#fits(template, room)) return this.#put(template, room)
      ring.drop(index)
    }
    return null
  }

  /** Takes room for one runner on this very host; false = it can't hold it. */
  placeOn(template: Template, host: HostId): boolean {
    const room = this.#find(host)
    if (room === null || this.#isFull(template)) return false
    if (!isAssigned(template, room.view.host) || !this.#fits(template, room)) return false
    this.#put(template, room)
    return true
  }

  /** Why nothing can hold one more of the template, once `place` has said so: the reason stands for the plan. */
  explain(template: Template): RefusalReason {
    return remember(this.#explained, template.key, () => this.#reason(template))
  }

  #reason(template: Template): RefusalReason {
    if (this.#isFull(template))
      return { code: 'template-full', template: template.key, maxConcurrency: template.maxConcurrency }
    return explainObstacle(template, this.#assignedTo(template), this.#world.now, (room) =>
      lacking(room, template),
    )
  }

  #isFull(template: Template): boolean {
    return (this.#live.get(template.key) ?? 0) >= template.maxConcurrency
  }

  #fits(template: Template, room: Room): boolean {
    return lacking(room, template) === null && obstacleOf(template, room.view, this.#world.now) === null
  }

  #put(template: Template, room: Room): HostId {
    this.#take(room, { template: template.key, ...template.size })
    this.#lastHost.set(template.key, room.view.host.id)
    return room.view.host.id
  }

  /** A host that is not there any more has no room, but its runners count for their template. */
  #take(room: Room | null, slot: Slot): void {
    this.#live.set(slot.template, (this.#live.get(slot.template) ?? 0) + 1)
    if (room === null) return
    room.cpuMillis -= slot.cpuMillis
    room.memoryMib -= slot.memoryMib
    room.runners -= 1
    room.starts -= 1
    room.perTemplate.set(slot.template, (room.perTemplate.get(slot.template) ?? 0) + 1)
  }

  #round(template: Template): Round {
    return remember(this.#rounds, template.key, () => {
      const rooms = this.#openTo(template)
      const last = this.#lastHost.get(template.key)
      const after = last === undefined ? 0 : firstWhere(rooms, (room) => room.view.host.id > last)
      return { rooms, ring: new Ring(rooms.length, after === rooms.length ? 0 : after) }
    })
  }

  #openTo(template: Template): readonly Room[] {
    return remember(this.#open, textOf(template.hosts), () =>
      this.#assignedTo(template).filter(
        (room) => isUsable(room.view, this.#world.now) && room.runners > 0 && room.starts > 0,
      ),
    )
  }

  #assignedTo(template: Template): readonly Room[] {
    return remember(this.#assigned, textOf(template.hosts), () =>
      this.#world.hosts.filter((view) => isAssigned(template, view.host)).map((view) => this.#room(view)),
    )
  }

  #find(id: HostId): Room | null {
    const { hosts } = this.#world
    const view = hosts[firstWhere(hosts, ({ host }) => host.id >= id)]
    return view?.host.id === id ? this.#room(view) : null
  }

  #room(view: HostView): Room {
    return remember(this.#rooms, view, () => roomOf(view))
  }
}

function roomOf(view: HostView): Room {
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

/** What a room lacks for one more runner of the template; null = it fits. */
function lacking(room: Room, template: Template): Lacking | null {
  const onHost = room.perTemplate.get(template.key) ?? 0
  if (room.runners < 1 || (template.perHost !== null && onHost >= template.perHost)) return 'slots'
  if (room.cpuMillis < template.size.cpuMillis) return 'cpu'
  if (room.memoryMib < template.size.memoryMib) return 'memory'
  return room.starts < 1 ? 'starts' : null
}

/** Where the items begin that `is` holds for, in a list sorted by it. */
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

/** What the map holds for the key; made and kept at the first look. */
function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
