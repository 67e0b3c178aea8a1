import type {
  EpochMs,
  Host,
  HostId,
  HostLiveness,
  ImageState,
  Slot,
  SourceId,
  Template,
  TemplateKey,
  WaitingJobs,
} from '../model/index.ts'

/** A host as the planner sees it. */
export interface HostView {
  readonly host: Host
  readonly liveness: HostLiveness | null
  readonly images: ReadonlyMap<string, ImageState>
  /** Runners claimed on it that do not run yet. */
  readonly starting: number
}

export interface LiveCount {
  readonly starting: number
  readonly running: number
}

/** A slot that is promised on a host and not yet among the host's slots. */
export interface CapacityPromise {
  readonly host: HostId
  readonly slot: Slot
}

/** All that planning depends on. Plain data: the same world gives the same plan. */
export interface World {
  readonly now: EpochMs
  readonly templates: readonly Template[]
  /** Sorted by id, so that round-robin has an order. */
  readonly hosts: readonly HostView[]
  readonly live: ReadonlyMap<TemplateKey, LiveCount>
  /** Claims on their way to the store: neither in `live` nor among a host's slots yet. */
  readonly claiming: readonly CapacityPromise[]
  /** The host that each template was last placed on. */
  readonly lastHost: ReadonlyMap<TemplateKey, HostId>
}

/** The demand of one source, and what it has already. */
export interface SourceDemand {
  readonly source: SourceId
  readonly waiting: readonly WaitingJobs[]
  /** Slots promised to its poll in flight, which may grant them at any moment; empty when none is. */
  readonly promises: readonly CapacityPromise[]
  /** Live runners of this source: the source with the fewest comes first. */
  readonly live: number
}

/** Jobs of a label set that nobody has granted yet. */
export function ungranted(waiting: WaitingJobs): number {
  return Math.max(0, waiting.queued - waiting.reserved)
}

/** Sorted by their oldest job, then by labels, so that the order does not depend on the source's. */
export function oldestFirst(waiting: readonly WaitingJobs[]): readonly WaitingJobs[] {
  return waiting.toSorted(
    (left, right) =>
      (left.oldestQueuedAt ?? Infinity) - (right.oldestQueuedAt ?? Infinity) ||
      compareTexts(left.labels.join(), right.labels.join()),
  )
}

/** By code units, as `toSorted` does without a comparer: never by locale. */
export function compareTexts(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
