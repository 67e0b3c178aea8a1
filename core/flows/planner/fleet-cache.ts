import {
  type EpochMs,
  type Fleet,
  type Host,
  type HostId,
  type HostLiveness,
  type ImageState,
  type LiveRunner,
  type Runner,
  type RunnerId,
  type SourceId,
  type Template,
  type TemplateKey,
  furthest,
  isLaterSign,
} from '../../model/index.ts'
import type { CapacityPromise, HostView, World } from '../../plan/index.ts'

/** A transition of one runner between two readings; `before` null = the runner is new to the cache. */
export interface Advance {
  readonly before: Runner | null
  readonly after: Runner
}

/** A heartbeat that came in time is known by the next full reading. A silent host is found by the sweep first. */
const SIGN_KNOWN_WITHIN_MS = 75_000

/**
 * The fleet as the control loop knows it: a cache that only moves forward (host revisions and runner states never go
 * back). Keeps the counts that planning needs up to date, so that a plan doesn't recount the fleet.
 */
export class FleetCache {
  readonly #hosts = new Map<HostId, Host>()
  readonly #liveness = new Map<HostId, HostLiveness>()
  readonly #images = new Map<HostId, { images: ReadonlyMap<string, ImageState>; revision: number }>()
  readonly #runners = new Map<RunnerId, Runner>()
  readonly #live = new Map<TemplateKey, { starting: number; running: number }>()
  readonly #starting = new Map<HostId, number>()
  readonly #perSource = new Map<SourceId, number>()
  readonly #unreadable = new Set<RunnerId>()
  #order: readonly HostId[] = []
  #readAtMs = -Infinity
  lastHost: ReadonlyMap<TemplateKey, HostId> = new Map()
  /** False while some stored runners can't be read: then no set of runners is complete. */
  isComplete = true

  /** When the fleet was last read, by the monotonic clock. */
  get readAtMs(): number {
    return this.#readAtMs
  }

  noteRead(atMs: number): void {
    this.#readAtMs = atMs
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values()
  }

  get runners(): Iterable<Runner> {
    return this.#runners.values()
  }

  get liveRunnerCount(): number {
    let sum = 0
    for (const count of this.#live.values()) sum += count.starting + count.running
    return sum
  }

  /** Live runners of one source. */
  liveOf(source: SourceId): number {
    return this.#perSource.get(source) ?? 0
  }

  host(id: HostId): Host | undefined {
    return this.#hosts.get(id)
  }

  runner(id: RunnerId): Runner | undefined {
    return this.#runners.get(id)
  }

  /** The image states that a host has reported. */
  imagesOf(id: HostId): ReadonlyMap<string, ImageState> {
    return this.#images.get(id)?.images ?? NO_IMAGES
  }

  *liveRunners(): Iterable<LiveRunner> {
    for (const runner of this.#runners.values()) if (runner.state !== 'gone') yield runner
  }

  /** Takes in a complete reading; returns the runners that changed state. */
  applyAll(fleet: Fleet): readonly Advance[] {
    this.isComplete = fleet.unreadable.every((item) => item.runner === null && item.host !== null)
    this.#unreadable.clear()
    this.#retainHosts(fleet)
    return this.apply(fleet)
  }

  /** Whether a batch of changes, which may repeat older ones, contains a newer host or newer images. */
  isNews({ hosts, images }: Fleet): boolean {
    return (
      hosts.some(({ id, revision }) => revision > (this.#hosts.get(id)?.revision ?? -1)) ||
      images.some(({ host, revision }) => revision > (this.#images.get(host)?.revision ?? -1))
    )
  }

  /** Takes in a batch of changes; returns the runners that changed state. */
  apply(fleet: Fleet): readonly Advance[] {
    for (const { runner } of fleet.unreadable) if (runner !== null) this.#unreadable.add(runner)
    for (const host of fleet.hosts) this.applyHost(host)
    for (const sign of fleet.liveness) this.#applySign(sign)
    for (const { host, images, revision } of fleet.images) {
      if (revision >= (this.#images.get(host)?.revision ?? 0)) this.#images.set(host, { images, revision })
    }
    return fleet.runners.flatMap((runner) => this.applyRunner(runner) ?? [])
  }

  /** A batch of changes may contain an older heartbeat than the last full reading. */
  #applySign(sign: HostLiveness): void {
    const known = this.#liveness.get(sign.host)
    if (known !== undefined && isLaterSign(known, sign)) return
    this.#liveness.set(sign.host, { ...sign, expectedBy: sign.expectedBy + SIGN_KNOWN_WITHIN_MS })
  }

  /** It is stored, but can't be read. */
  isUnreadable(id: RunnerId): boolean {
    return this.#unreadable.has(id)
  }

  /** False: the reading is older than the cached one. */
  applyHost(host: Host): boolean {
    const known = this.#hosts.get(host.id)
    if (known !== undefined && known.revision > host.revision) return false
    this.#hosts.set(host.id, host)
    if (known === undefined) this.#order = [...this.#hosts.keys()].toSorted()
    return true
  }

  /** The host was removed. A host of the same name that is added later starts anew. */
  dropHost(id: HostId): void {
    for (const known of [this.#hosts, this.#liveness, this.#images]) known.delete(id)
    this.#order = this.#order.filter((other) => other !== id)
  }

  applyRunner(runner: Runner): Advance | null {
    const known = this.#runners.get(runner.id)
    const after = known === undefined ? runner : furthest(known, runner)
    this.#runners.set(after.id, after)
    if (known?.state === after.state) return null
    if (known !== undefined) this.#count(known, -1)
    this.#count(after, 1)
    return { before: known ?? null, after }
  }

  /** Forgets runners that ended before this time. */
  forgetGone(before: EpochMs): void {
    for (const runner of this.#runners.values()) {
      if (runner.state === 'gone' && runner.goneAt < before) this.#runners.delete(runner.id)
    }
  }

  /** `claiming`: claims on their way to the store. */
  world(now: EpochMs, templates: readonly Template[], claiming: readonly CapacityPromise[]): World {
    const hosts = this.#order.flatMap((id): HostView | [] => {
      const host = this.#hosts.get(id)
      if (host === undefined) return []
      return {
        host,
        liveness: this.#liveness.get(id) ?? null,
        images: this.imagesOf(id),
        starting: this.#starting.get(id) ?? 0,
      }
    })
    return { now, templates, hosts, live: this.#live, claiming, lastHost: this.lastHost }
  }

  /** Drops hosts that are missing from a complete reading. A host that can't be read still exists. */
  #retainHosts({ hosts, unreadable }: Fleet): void {
    const present = new Set([...hosts.map((host) => host.id), ...unreadable.map((item) => item.host)])
    for (const id of this.#hosts.keys()) if (!present.has(id)) this.dropHost(id)
  }

  #count(runner: Runner, by: 1 | -1): void {
    if (runner.state === 'gone') return
    this.#perSource.set(runner.source, this.liveOf(runner.source) + by)
    const count = this.#live.get(runner.template) ?? { starting: 0, running: 0 }
    if (runner.state === 'running') count.running += by
    else {
      count.starting += by
      this.#starting.set(runner.host, (this.#starting.get(runner.host) ?? 0) + by)
    }
    this.#live.set(runner.template, count)
  }
}

const NO_IMAGES: ReadonlyMap<string, ImageState> = new Map()
