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

/** A slot promised to a poll in flight: the source may grant it at any moment. */
export interface Hold {
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
  /** The host that each template was last placed on. */
  readonly lastHost: ReadonlyMap<TemplateKey, HostId>
}

/** What one source wants and already holds. */
export interface SourceDemand {
  readonly source: SourceId
  readonly waiting: readonly WaitingJobs[]
  /** Slots promised to its poll in flight; empty when none is. */
  readonly holds: readonly Hold[]
}

/** Jobs of a label set that nobody has granted yet. */
export function ungranted(waiting: WaitingJobs): number {
  return Math.max(0, waiting.queued - waiting.reserved)
}
