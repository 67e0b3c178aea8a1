import type { EpochMs, ReservationId, RunnerId, SourceId, TemplateKey } from './ids.ts'

/** What a source is told about one template: how many more runners it may be asked for, and how many live. */
export interface TemplateCapacity {
  readonly template: TemplateKey
  readonly labels: readonly string[]
  readonly available: number
  readonly starting: number
  readonly running: number
}

export interface PollRequest {
  readonly capacity: readonly TemplateCapacity[]
  /** Most units to grant in this poll. */
  readonly maxReservations: number
  /** How long the source may hold the poll open while it has nothing to grant; whole seconds, 0 = answer at once. */
  readonly waitSeconds: number
}

/** N runners granted for one label set. */
export interface Reservation {
  readonly id: ReservationId
  readonly labels: readonly string[]
  readonly count: number
  /** By the hub's clock, never later than the source's own expiry. */
  readonly expiresAt: EpochMs
}

/** Jobs of one label set that wait at a source. `reserved` of them are granted already (to anyone). */
export interface WaitingJobs {
  readonly labels: readonly string[]
  readonly queued: number
  readonly reserved: number
  readonly oldestQueuedAt: EpochMs | null
}

export interface DemandAnswer {
  readonly reservations: readonly Reservation[]
  readonly waiting: readonly WaitingJobs[]
  /** Runners whose job was canceled: end them. */
  readonly cancel: readonly RunnerId[]
}

/** Something the source says about one of our runners. */
export interface ObservedRunner {
  readonly id: RunnerId
  /** True once the runner in the container has registered (v1) or enrolled (v2). */
  readonly registered: boolean
  readonly jobBound: boolean
  readonly cancellationRequested: boolean
  /** The source reports this runner as ended. */
  readonly ended: boolean
}

/** What the source hears about one runner. */
export interface RunnerReport {
  readonly id: RunnerId
  readonly template: TemplateKey
  readonly labels: readonly string[]
  readonly reservation: ReservationId | null
  readonly state: 'starting' | 'running' | 'stopping' | 'stopped' | 'failed' | 'terminated'
  readonly reason: string | null
  readonly at: EpochMs
}

/** Why a waiting job, or a granted unit, has no container yet; each one says what a person can do. */
export type RefusalReason =
  | { readonly code: 'no-template'; readonly known: readonly string[] }
  | { readonly code: 'template-full'; readonly template: TemplateKey; readonly maxConcurrency: number }
  | { readonly code: 'no-host-assigned'; readonly template: TemplateKey }
  | { readonly code: 'hosts-offline'; readonly template: TemplateKey; readonly hosts: readonly string[] }
  | { readonly code: 'hosts-not-accepting'; readonly template: TemplateKey; readonly reason: string }
  | { readonly code: 'backing-off'; readonly template: TemplateKey; readonly until: EpochMs }
  | { readonly code: 'pulling-image'; readonly template: TemplateKey; readonly image: string }
  | {
      readonly code: 'image-unavailable'
      readonly template: TemplateKey
      readonly image: string
      readonly reason: string
    }
  | { readonly code: 'no-room'; readonly template: TemplateKey; readonly lacking: 'cpu' | 'memory' | 'slots' }
  | { readonly code: 'too-large'; readonly template: TemplateKey; readonly lacking: 'cpu' | 'memory' }
  | { readonly code: 'start-rate'; readonly template: TemplateKey }
  | { readonly code: 'waiting-for-share'; readonly template: TemplateKey }
  | { readonly code: 'claiming-stopped'; readonly reason: string }

export interface Refusal {
  readonly source: SourceId
  readonly labels: readonly string[]
  readonly count: number
  readonly reason: RefusalReason
}

/** What a source allows and asks for, as it was learned when its token was accepted. */
export interface SourceLimits {
  /** Most templates that the source can be told about. */
  readonly templatesMax: number
  /** Most runners in one mint call. */
  readonly mintBatchMax: number
  /** Mint calls per window; null = unlimited. */
  readonly mintCalls: { readonly max: number; readonly windowMs: number } | null
  readonly reservationsMax: number
  /** The longest time that the owner allows one poll to stay open. */
  readonly pollWaitSecondsMax: number
  readonly pollIntervalMs: number
  readonly pollIntervalMaxMs: number
  /** Interval between reports of runner states. */
  readonly reportIntervalMs: number
  /** A runner that has not registered by then is ended. */
  readonly registrationDeadlineMs: number
  /** How long one unit of a reservation lives from its grant. */
  readonly reservationTtlMs: number
  /** Whether runners may be started with no reservation. */
  readonly warm: boolean
}
