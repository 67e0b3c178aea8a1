import type { EpochMs } from '../model/index.ts'
import type { SourceLimits } from '../ports.ts'

/** Small, so that a crash between a mint and its dispatch burns few tokens. */
const BATCH_USUAL = 10
/** Calls of a window that are not used for batches of the usual size: from there on batches grow. */
const CALLS_IN_RESERVE = 20

export interface MintWindow {
  readonly startedAt: EpochMs
  readonly calls: number
}

export type MintAllowance = { readonly batch: number } | { readonly waitMs: number }

/** How many runners the next mint call may carry, or how long to wait for the source's next window. */
export function mintAllowance(
  limits: SourceLimits,
  window: MintWindow | undefined,
  now: EpochMs,
): MintAllowance {
  const usual = Math.min(BATCH_USUAL, limits.mintBatchMax)
  if (limits.mintCalls === null || window === undefined) return { batch: usual }
  const { max, windowMs } = limits.mintCalls
  const ends = window.startedAt + windowMs
  if (now >= ends) return { batch: usual }
  if (window.calls < max - 2 * CALLS_IN_RESERVE) return { batch: usual }
  if (window.calls < max - CALLS_IN_RESERVE) return { batch: limits.mintBatchMax }
  return { waitMs: ends - now }
}

/** The window after one more call. */
export function countMint(limits: SourceLimits, window: MintWindow | undefined, now: EpochMs): MintWindow {
  const windowMs = limits.mintCalls?.windowMs ?? 0
  if (window === undefined || now >= window.startedAt + windowMs) return { startedAt: now, calls: 1 }
  return { startedAt: window.startedAt, calls: window.calls + 1 }
}
