import type { WaitingJobs } from './demand.ts'
import type { EpochMs, SourceId } from './ids.ts'

/** The status of one source, as the control loop last saw it. */
export interface SourceStatus {
  readonly source: SourceId
  /** When the control loop last polled the source, or tried to. */
  readonly checkedAt: EpochMs
  readonly state: SourceCondition
  /** Jobs that wait there, oldest label sets first; at most `STATUS_ENTRIES_MAX`. */
  readonly waiting: readonly WaitingJobs[]
  /** Why jobs wait, in words; at most `STATUS_ENTRIES_MAX`. */
  readonly refusals: readonly StatusRefusal[]
}

export type SourceCondition =
  | { readonly kind: 'ok' }
  /** Its token is not stored yet. */
  | { readonly kind: 'secret-missing'; readonly parameter: string }
  | { readonly kind: 'failing'; readonly code: string; readonly message: string }

export interface StatusRefusal {
  readonly labels: readonly string[]
  readonly count: number
  readonly text: string
}

/** More label sets than a person reads at once; keeps the stored item small. */
export const STATUS_ENTRIES_MAX = 20
