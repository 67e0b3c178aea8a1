import type { EpochMs } from '../../core/model/index.ts'

/** A `Date` header has a resolution of one second, so the server's clock may have been later by up to this. */
const DATE_GRAIN_MS = 1000

/**
 * R5: a lower bound of a grant's lifetime, counted from the time when its request was sent. A grant is never older than
 * its request, so this ends too early (by the time that the poll was held), never too late. If the answer has a `Date`
 * header, the difference of its two server times is a second bound, and the shorter one is used. The hub's clock and
 * the server's clock are never compared.
 */
export function lifetimeFromSendMs(grant: {
  ttlMs: number
  expiresAt: EpochMs
  answeredAt: EpochMs | null
}): number {
  if (grant.answeredAt === null) return grant.ttlMs
  return Math.min(grant.ttlMs, grant.expiresAt - grant.answeredAt - DATE_GRAIN_MS)
}
