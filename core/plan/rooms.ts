import {
  type Host,
  type HostId,
  isAssigned,
  type RefusalReason,
  type Slot,
  type Template,
  type TemplateKey,
} from '../model/index.ts'
import { explainObstacle, obstacleOf } from './obstacles.ts'
import type { Hold, HostView, World } from './world.ts'

/** How far ahead work may pile up on a host: half of the 60 s that a reservation lives. */
const START_BACKLOG_MS = 30_000
/** Assumed until a host has been measured: what four overlapping starts of a second each give. */
const STARTS_PER_MINUTE_UNMEASURED = 240

/** What is left of one host while a plan is being made. */
interface Room {
  readonly host: Host
  cpuMillis: number
  memoryMib: number
  runners: number
  starts: number
  readonly perTemplate: Map<TemplateKey, number>
}

/** The usable hosts of one template, in order, with those that turned out full skipped over for good. */
interface Ring {
  readonly rooms: readonly Room[]
  readonly skip: number[]
  at: number
  /** Rooms not skipped yet. */
  open: number
}

export type Placement = { readonly host: HostId } | { readonly refused: RefusalReason }

/**
 * The free room of a fleet, used up unit by unit within one plan. Room only ever shrinks here, so a host that could
 * not hold a template once is never looked at again for it: a plan is linear in hosts plus units.
 */
export class Rooms {
  readonly #world: World
  readonly #rooms: ReadonlyMap<HostId, Room>
  readonly #rings = new Map<TemplateKey, Ring>()
  readonly #live = new Map<TemplateKey, number>()
  readonly #lastHost: Map<TemplateKey, HostId>
  /** Room never comes back within a plan, and so a refusal stands to its end. */
  readonly #refused = new Map<TemplateKey, RefusalReason>()

  constructor(world: World, holds: readonly Hold[] = []) {
    this.#world = world
    this.#rooms = new Map(world.hosts.map((view) => [view.host.id, roomOf(view)]))
    this.#lastHost = new Map(world.lastHost)
    for (const [key, count] of world.live) this.#live.set(key, count.starting + count.running)
    for (const hold of holds) this.#take(hold.host, hold.slot)
  }

  /** Where the next round-robin of each template goes on. */
  get lastHost(): ReadonlyMap<TemplateKey, HostId> {
    return this.#lastHost
  }

  /** Takes room for one runner of the template on the next host that can hold it, or says why none can. */
  place(template: Template): Placement {
    const known = this.#refused.get(template.key)
    if (known !== undefined) return { refused: known }
    const host = this.#find(template)
    if (typeof host === 'string') return { host }
    this.#refused.set(template.key, host)
    return { refused: host }
  }

  #find(template: Template): HostId | RefusalReason {
    if ((this.#live.get(template.key) ?? 0) >= template.maxConcurrency) {
      return { code: 'template-full', template: template.key, maxConcurrency: template.maxConcurrency }
    }
    const room = nextFitting(this.#ring(template), template)
    if (room === null) return this.#explain(template)
    this.#take(room.host.id, { template: template.key, ...template.size })
    this.#lastHost.set(template.key, room.host.id)
    return room.host.id
  }

  #take(host: HostId, slot: Slot): void {
    const room = this.#rooms.get(host)
    this.#live.set(slot.template, (this.#live.get(slot.template) ?? 0) + 1)
    if (room === undefined) return
    room.cpuMillis -= slot.cpuMillis
    room.memoryMib -= slot.memoryMib
    room.runners -= 1
    room.starts -= 1
    room.perTemplate.set(slot.template, (room.perTemplate.get(slot.template) ?? 0) + 1)
  }

  #ring(template: Template): Ring {
    const known = this.#rings.get(template.key)
    if (known !== undefined) return known
    const rooms: Room[] = []
    for (const view of this.#world.hosts) {
      const room = this.#rooms.get(view.host.id)
      if (
        room !== undefined &&
        isAssigned(template, view.host) &&
        obstacleOf(template, view, this.#world.now) === null
      )
        rooms.push(room)
    }
    const ring: Ring = {
      rooms,
      skip: rooms.map((_, index) => index),
      at: startAfter(rooms, this.#lastHost.get(template.key)),
      open: rooms.length,
    }
    this.#rings.set(template.key, ring)
    return ring
  }

  #explain(template: Template): RefusalReason {
    const assigned = this.#world.hosts.filter((view) => isAssigned(template, view.host))
    return explainObstacle(template, assigned, this.#world.now, (view) => {
      const room = this.#rooms.get(view.host.id)
      return room === undefined ? 'slots' : lacking(room, template)
    })
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
  return { host, cpuMillis, memoryMib, runners, starts, perTemplate }
}

/** What a room lacks for one more runner of the template; null = it fits. */
function lacking(room: Room, template: Template): 'cpu' | 'memory' | 'slots' | 'starts' | null {
  const onHost = room.perTemplate.get(template.key) ?? 0
  if (room.runners < 1 || (template.perHost !== null && onHost >= template.perHost)) return 'slots'
  if (room.cpuMillis < template.size.cpuMillis) return 'cpu'
  if (room.memoryMib < template.size.memoryMib) return 'memory'
  return room.starts < 1 ? 'starts' : null
}

/** The next room, round-robin, that fits; one that doesn't is skipped from now on. */
function nextFitting(ring: Ring, template: Template): Room | null {
  while (ring.open > 0) {
    const index = follow(ring.skip, ring.at)
    const next = (index + 1) % ring.rooms.length
    ring.at = next
    const room = ring.rooms[index]
    if (room !== undefined && lacking(room, template) === null) return room
    ring.skip[index] = next
    ring.open -= 1
  }
  return null
}

/** The first index from `start` on that links to itself: is not skipped. Shortens the links that it walks. */
function follow(skip: number[], start: number): number {
  const passed: number[] = []
  let index = start
  for (let next = skip[index] ?? index; next !== index; next = skip[index] ?? index) {
    passed.push(index)
    index = next
  }
  for (const one of passed) skip[one] = index
  return index
}

/** The first room whose host sorts after the one used last; rooms are sorted by host. */
function startAfter(rooms: readonly Room[], last: HostId | undefined): number {
  if (last === undefined) return 0
  const index = rooms.findIndex((room) => room.host.id > last)
  return index === -1 ? 0 : index
}
