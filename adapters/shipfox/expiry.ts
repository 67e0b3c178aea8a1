import type { EpochMs } from '../../core/model/index.ts'

/** A `Date` header is cut to the second, so the server's clock stood up to this much later. */
const DATE_GRAIN_MS = 1000

/**
 * How long a grant surely lives, counted from when its request was sent, since clocks differ (R5). A grant is never
 * older than its request, so its lifetime counted from there ends too early (by the time that the poll was held), never
 * too late. Where the answer has a `Date`, both of its times are by one clock, the server's, and their difference holds
 * too; the shorter of the two wins. No clock of ours is compared with one of theirs.
 */
export function lifetimeFromSendMs(grant: {
  ttlMs: number
  expiresAt: EpochMs
  answeredAt: EpochMs | null
}): number {
  if (grant.answeredAt === null) return grant.ttlMs
  return Math.min(grant.ttlMs, grant.expiresAt - grant.answeredAt - DATE_GRAIN_MS)
}
