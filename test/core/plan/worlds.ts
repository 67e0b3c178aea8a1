import * as fc from 'fast-check'
import {
  type Backoff,
  connectionId,
  epoch,
  fence,
  type Host,
  type HostCapacity,
  type HostState,
  hostId,
  type ImageState,
  runnerId,
  type Slot,
  sourceId,
  type Template,
  type TemplateKey,
  templateKey,
  type WaitingJobs,
} from '../../../core/model/index.ts'
import type { CapacityPromise, HostView, LiveCount, SourceDemand, World } from '../../../core/plan/index.ts'
import { template as makeTemplate } from '../../support/template.ts'

export const NOW = 1_800_000_000_000
export const SHIPFOX = sourceId('shipfox')
export const GITHUB = sourceId('github')
export const IMAGE = 'runner:1'

/** A seed for the properties of one file: from the environment, so that a failed run can be repeated. */
export const seed = Number(process.env['FC_SEED'] ?? Date.now())

/** A template of one Linux runner, of which there may be many. */
export function template(key: string, parts: Partial<Omit<Template, 'key'>> = {}): Template {
  const size = { cpuMillis: 1000, memoryMib: 1024 }
  return makeTemplate(key, { labels: ['linux'], image: IMAGE, size, maxConcurrency: 1000, ...parts })
}

export interface HostParts {
  readonly capacity?: Partial<HostCapacity>
  readonly tags?: readonly string[]
  readonly state?: HostState
  readonly accepting?: boolean
  readonly notAcceptingReason?: string | null
  readonly slots?: readonly Slot[]
  readonly backoffs?: Readonly<Record<string, Backoff>>
  readonly images?: Readonly<Record<string, ImageState>>
  readonly starting?: number
  readonly startsPerMinute?: number | null
  readonly expectedBy?: number
}

/** A host that can hold anything ordinary, unless told otherwise. */
export function hostView(name: string, parts: HostParts = {}): HostView {
  const state = parts.state ?? 'online'
  const id = hostId(name)
  const host: Host = {
    id,
    tags: parts.tags ?? [],
    tokenHash: '',
    state,
    stateSince: NOW - 60_000,
    epoch: epoch(1),
    connection: state === 'online' || state === 'syncing' ? connectionId(`connection-${name}`) : null,
    install: 'install',
    fence: fence(1),
    capacity: { runners: 100, cpuMillis: 100_000, memoryMib: 100_000, ...parts.capacity },
    accepting: parts.accepting ?? true,
    notAcceptingReason: parts.notAcceptingReason ?? null,
    slots: new Map((parts.slots ?? []).map((slot, index) => [runnerOf(index), slot])),
    backoffs: new Map(Object.entries(parts.backoffs ?? {}).map(([key, value]) => [templateKey(key), value])),
    revision: 1,
  }
  return {
    host,
    liveness: {
      host: id,
      epoch: epoch(1),
      lastSeenAt: NOW - 1_000,
      expectedBy: parts.expectedBy ?? NOW + 60_000,
      startsPerMinute: parts.startsPerMinute ?? null,
    },
    images: new Map(Object.entries(parts.images ?? { [IMAGE]: { state: 'present' } })),
    starting: parts.starting ?? 0,
  }
}

export function slotOf({ key, size }: Template): Slot {
  return { template: key, ...size }
}

/** `live` is counted from the slots of the hosts. */
export function world(templates: readonly Template[], hosts: readonly HostView[], now = NOW): World {
  const live = new Map<TemplateKey, LiveCount>()
  for (const { host } of hosts) {
    for (const { template: key } of host.slots.values()) {
      live.set(key, { starting: 0, running: (live.get(key)?.running ?? 0) + 1 })
    }
  }
  const sorted = hosts.toSorted((left, right) => (left.host.id < right.host.id ? -1 : 1))
  return { now, templates, hosts: sorted, live, claiming: [], lastHost: new Map() }
}

export function waiting(
  labels: readonly string[],
  queued: number,
  parts: Partial<WaitingJobs> = {},
): WaitingJobs {
  return { labels, queued, reserved: 0, oldestQueuedAt: NOW - 1_000, ...parts }
}

export function demand(
  source: SourceDemand['source'],
  jobs: readonly WaitingJobs[] = [],
  promises: readonly CapacityPromise[] = [],
): SourceDemand {
  return { source, waiting: jobs, promises, live: 0 }
}

function runnerOf(index: number): ReturnType<typeof runnerId> {
  return runnerId(`00000000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`)
}

/* ── Any world ─────────────────────────────────────────────────────────────────────────────────────────────── */

const LABELS = ['a', 'b', 'c', 'd'] as const
const labelSet = fc.subarray([...LABELS], { minLength: 1 })

/** Most of the time `usual`: a world in which everything goes wrong at once shows little. */
function mostly<T>(usual: fc.Arbitrary<T>, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: usual }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })))
}

const SECOND_IMAGE = 'runner:2'
const bothImages = { [IMAGE]: { state: 'present' }, [SECOND_IMAGE]: { state: 'present' } } as const
const refused = { state: 'failed', reason: 'no such tag', retryAt: NOW } as const

const anyTemplate = (index: number): fc.Arbitrary<Template> =>
  fc
    .record({
      labels: labelSet,
      cpu: fc.constantFrom(1, 2, 3, 4),
      memory: fc.constantFrom(1, 2, 3, 4),
      cost: fc.constantFrom(1, 2, 3),
      maxConcurrency: mostly(fc.constantFrom(50, 50, 12, 6, 2), fc.constant(0)),
      targetConcurrency: fc.constantFrom(0, 1, 2, 5),
      perHost: fc.constantFrom(null, null, 1, 2, 4),
      image: fc.constantFrom(IMAGE, SECOND_IMAGE),
      hosts: mostly<Template['hosts']>(
        fc.constant({ kind: 'all' }),
        fc.constant({ kind: 'local' }),
        fc.constant({ kind: 'named', namesOrTags: ['big'] }),
        fc.constant({ kind: 'named', namesOrTags: ['host-1', 'fast'] }),
      ),
      sources: mostly<Template['sources']>(
        fc.constant({ kind: 'all' }),
        fc.constant({ kind: 'named', ids: [GITHUB] }),
      ),
    })
    .map(({ cpu, memory, ...parts }) =>
      template(`t${index}`, { ...parts, size: { cpuMillis: cpu * 500, memoryMib: memory * 512 } }),
    )

const anyHost = (index: number, templates: readonly Template[]): fc.Arbitrary<HostView> =>
  fc
    .record({
      capacity: fc.record({
        runners: mostly(fc.constantFrom(20, 9, 6, 3, 1), fc.constant(0)),
        cpuMillis: mostly(fc.constantFrom(20_000, 8000, 5000, 3000, 2000), fc.constant(0)),
        memoryMib: mostly(fc.constantFrom(20_480, 8192, 5120, 3072, 1024), fc.constant(0)),
      }),
      tags: fc.subarray(['big', 'fast']),
      state: mostly<HostState>(fc.constant('online'), fc.constantFrom('offline', 'syncing', 'new', 'dead')),
      accepting: mostly(fc.constant(true), fc.constant(false)),
      slots: fc.array(fc.constantFrom(...templates).map(slotOf), { maxLength: 2 }),
      backoffs: mostly(
        fc.constant<NonNullable<HostParts['backoffs']>>({}),
        fc.constantFrom(...templates).map(({ key }) => ({ [key]: { failures: 1, until: NOW + 5_000 } })),
      ),
      images: mostly<NonNullable<HostParts['images']>>(
        fc.constant(bothImages),
        fc.constant({ ...bothImages, [SECOND_IMAGE]: { state: 'pulling' } }),
        fc.constant({ ...bothImages, [SECOND_IMAGE]: refused }),
      ),
      starting: fc.constantFrom(0, 0, 1, 2),
      startsPerMinute: mostly(fc.constantFrom(null, 60, 8), fc.constant(2)),
      expectedBy: mostly(fc.constant(NOW), fc.constant(NOW - 1)),
    })
    .map((parts) => hostView(index === 0 ? 'local' : `host-${index}`, parts))

const severalOf = <T>(max: number, make: (index: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc
    .constantFrom(...Array.from({ length: max }, (_, index) => max - index))
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => make(index))))

/** Up to 5 templates on up to 5 hosts of any size, most of which can be used. */
export const anyWorld: fc.Arbitrary<World> = severalOf(5, anyTemplate).chain((templates) =>
  severalOf(5, (index) => anyHost(index, templates)).chain((hosts) =>
    fc
      .array(fc.tuple(fc.constantFrom(...templates), fc.constantFrom(...hosts)), { maxLength: 3 })
      .map((lastHosts) => ({
        ...world(templates, hosts),
        lastHost: new Map(lastHosts.map(([{ key }, { host }]) => [key, host.id])),
      })),
  ),
)

/** Each label set at most once, as sources tell it. */
export const anyWaiting: fc.Arbitrary<readonly WaitingJobs[]> = fc.uniqueArray(
  fc.record({
    labels: fc.oneof({ weight: 9, arbitrary: labelSet }, { weight: 1, arbitrary: fc.constant(['unknown']) }),
    queued: fc.constantFrom(9, 5, 2, 1, 0),
    reserved: fc.constantFrom(0, 0, 1, 3),
    oldestQueuedAt: fc.option(fc.integer({ min: NOW - 5, max: NOW })),
  }),
  { selector: ({ labels }) => labels.join(','), minLength: 1, maxLength: 6 },
)

/* ── What must hold of any plan ────────────────────────────────────────────────────────────────────────────── */

export function promiseOn(held: Template, host: HostView['host']['id']): CapacityPromise {
  return { host, slot: slotOf(held) }
}

/**
 * What is wrong with taking these slots beside all that the world holds already, counted anew from the rules: caps of
 * hosts and templates, start rates, and hosts that must not be used. Hosts and templates that nothing is added to may
 * be in any state.
 */
export function violations(made: World, added: readonly CapacityPromise[]): readonly string[] {
  const all = [...(made.claiming ?? []), ...added]
  const wrong: string[] = []
  for (const [key, promises] of Map.groupBy(added, ({ slot }) => slot.template)) {
    const { starting, running } = made.live.get(key) ?? { starting: 0, running: 0 }
    const count = starting + running + all.filter(({ slot }) => slot.template === key).length
    const max = made.templates.find((one) => one.key === key)?.maxConcurrency ?? 0
    if (count > max) wrong.push(`${count} of ${key}, ${promises.length} of them new; it may have ${max}`)
  }
  for (const [id, news] of Map.groupBy(added, ({ host }) => host)) {
    const view = made.hosts.find(({ host }) => host.id === id)
    if (view === undefined) wrong.push(`${id} is not there`)
    else
      wrong.push(
        ...violationsOn(
          made,
          view,
          news,
          all.filter(({ host }) => host === id),
        ),
      )
  }
  return wrong
}

function violationsOn(
  made: World,
  view: HostView,
  news: readonly CapacityPromise[],
  all: readonly CapacityPromise[],
): string[] {
  const { host, liveness } = view
  const wrong: string[] = []
  const slots = [...host.slots.values(), ...all.map(({ slot }) => slot)]
  const sum = (of: (slot: Slot) => number): number => slots.reduce((total, slot) => total + of(slot), 0)
  if (host.state !== 'online' || host.connection === null) wrong.push(`${host.id} is ${host.state}`)
  if (liveness !== null && liveness.expectedBy < made.now) wrong.push(`${host.id} is silent`)
  if (!host.accepting) wrong.push(`${host.id} accepts nothing`)
  if (slots.length > host.capacity.runners) wrong.push(`${host.id} holds ${slots.length} runners`)
  if (sum(({ cpuMillis }) => cpuMillis) > host.capacity.cpuMillis) wrong.push(`${host.id} lacks cpu`)
  if (sum(({ memoryMib }) => memoryMib) > host.capacity.memoryMib) wrong.push(`${host.id} lacks memory`)
  const backlogMax = Math.max(1, Math.ceil((liveness?.startsPerMinute ?? 240) / 2))
  if (view.starting + all.length > backlogMax) wrong.push(`${host.id} starts too many at once`)
  for (const key of new Set(news.map(({ slot }) => slot.template))) {
    const one = made.templates.find((each) => each.key === key)
    const count = slots.filter((slot) => slot.template === key).length
    if (one?.perHost !== null && count > (one?.perHost ?? 0))
      wrong.push(`${host.id} holds ${count} of ${key}`)
    if (one !== undefined && view.images.get(one.image)?.state !== 'present')
      wrong.push(`${key} has no image`)
    if ((host.backoffs.get(key)?.until ?? 0) > made.now) wrong.push(`${key} backs off`)
    const { kind } = one?.hosts ?? { kind: 'none' }
    const named = one?.hosts.kind === 'named' ? one.hosts.namesOrTags : []
    const isIts =
      kind === 'all' ||
      (kind === 'local' && host.id === 'local') ||
      named.some((name) => name === host.id || host.tags.includes(name))
    if (!isIts) wrong.push(`${host.id} is not assigned to ${key}`)
  }
  return wrong
}
