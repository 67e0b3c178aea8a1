import type { EpochMs, SourceLimits } from '../../model/index.ts'

/** Small, so that a crash between mints and their dispatch burns few tokens: ten, with two batches on their way. */
const BATCH_USUAL = 5
/**
 * Calls of a window that are left for other users of the token. Batches grow once fewer than twice as many are left.
 */
const CALLS_IN_RESERVE = 20
/** Of a small window no more than this share is kept in reserve. */
const RESERVE_SHARE_MAX = 1 / 4

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
  if (limits.mintCalls === null || window === undefined || !isOpen(limits, window, now))
    return { batch: usual }
  const { max, windowMs } = limits.mintCalls
  const reserve = Math.min(CALLS_IN_RESERVE, Math.floor(max * RESERVE_SHARE_MAX))
  if (window.calls < max - 2 * reserve) return { batch: usual }
  if (window.calls < max - reserve) return { batch: limits.mintBatchMax }
  return { waitMs: window.startedAt + windowMs - now }
}

/** The window after one more call. */
export function countMint(limits: SourceLimits, window: MintWindow | undefined, now: EpochMs): MintWindow {
  if (window === undefined || !isOpen(limits, window, now)) return { startedAt: now, calls: 1 }
  return { startedAt: window.startedAt, calls: window.calls + 1 }
}

/** A window that starts in the future was noted by a wrong clock: its end might never come. */
function isOpen({ mintCalls }: SourceLimits, { startedAt }: MintWindow, now: EpochMs): boolean {
  return now >= startedAt && now < startedAt + (mintCalls?.windowMs ?? 0)
}
