import { type BackoffPolicy, backoffMs } from '../../concurrency/backoff.ts'

/** Work seen within this time means that the next job is likely soon: latency matters. */
export const WORK_MEMORY_MS = 15 * 60_000
/**
 * A source checks an open poll less and less often, but a new poll at once: polls of about a second find jobs soonest.
 */
const SHORT_HOLD_SECONDS = 1
/** A refused token may be fixed at the source or replaced: try again, but rarely. */
export const UNAUTHORIZED_RETRY_MS = 60_000

export interface PaceLimits {
  readonly pollWaitSecondsMax: number
  readonly pollIntervalMs: number
  readonly pollIntervalMaxMs: number
}

/** How the last poll of a source ended. */
export type LastPoll =
  | { readonly kind: 'none' }
  | { readonly kind: 'granted' }
  | { readonly kind: 'empty'; readonly inRow: number }
  | { readonly kind: 'failed'; readonly inRow: number; readonly retryAfterMs: number | null }
  | { readonly kind: 'unauthorized' }

/** Whole seconds that the source may hold the next poll. */
export function pollWaitSeconds(limits: PaceLimits, msSinceWork: number): number {
  return msSinceWork < WORK_MEMORY_MS
    ? Math.min(SHORT_HOLD_SECONDS, limits.pollWaitSecondsMax)
    : limits.pollWaitSecondsMax
}

/** Time from the start of the last poll to the start of the next. `unit` is uniform in [0, 1). */
export function pollSpacingMs(last: LastPoll, limits: PaceLimits, msSinceWork: number, unit: number): number {
  switch (last.kind) {
    case 'none':
    case 'granted':
      return 0
    case 'empty':
      return msSinceWork < WORK_MEMORY_MS
        ? limits.pollIntervalMs
        : backoffMs(quietPolicy(limits), last.inRow + 1, unit)
    case 'failed':
      return Math.max(backoffMs(failedPolicy(limits), last.inRow + 1, unit), last.retryAfterMs ?? 0)
    case 'unauthorized':
      return UNAUTHORIZED_RETRY_MS
  }
}

/** A regular pace, and no retry: one hub asks each of its sources by itself. */
function quietPolicy({ pollIntervalMs, pollIntervalMaxMs }: PaceLimits): BackoffPolicy {
  return { firstMs: pollIntervalMs, maxMs: pollIntervalMaxMs, growth: 2, jitter: 'none' }
}

/** Every hub of a source fails together with it, and none should return with the others. */
function failedPolicy({ pollIntervalMs, pollIntervalMaxMs }: PaceLimits): BackoffPolicy {
  return {
    firstMs: pollIntervalMs,
    maxMs: 6 * pollIntervalMaxMs,
    growth: 2,
    jitter: 'full',
    floorMs: pollIntervalMs / 2,
  }
}
