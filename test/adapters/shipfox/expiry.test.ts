import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lifetimeFromSendMs } from '../../../adapters/shipfox/expiry.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now())

describe(`the end of a reservation by our clock (seed ${seed})`, () => {
  it('R5: is never later than the end by the server, under any skew, delay and hold', () => {
    const ms = (max: number) => fc.integer({ min: 0, max })
    fc.assert(
      fc.property(
        fc.record({
          sentAt: ms(1_000_000),
          toGrant: ms(40_000),
          toAnswer: ms(5000),
          skew: fc.integer({ min: -86_400_000, max: 86_400_000 }),
          ttlMs: fc.integer({ min: 1000, max: 600_000 }),
          // A server that gives less than was asked for.
          realTtlMs: fc.integer({ min: 1000, max: 600_000 }),
          hasDate: fc.boolean(),
        }),
        ({ sentAt, toGrant, toAnswer, skew, ttlMs, realTtlMs, hasDate }) => {
          // True time is ours; the server's clock shows true time + skew, and its Date header is cut to the second.
          const realEnd = sentAt + toGrant + Math.min(realTtlMs, hasDate ? Infinity : ttlMs)
          if (!hasDate && realTtlMs < ttlMs) return
          const expiresAt = realEnd + skew
          const answeredAt = Math.floor((sentAt + toGrant + toAnswer + skew) / 1000) * 1000
          const lifetime = lifetimeFromSendMs({ ttlMs, expiresAt, answeredAt: hasDate ? answeredAt : null })
          expect(sentAt + lifetime).toBeLessThanOrEqual(realEnd)
        },
      ),
      { seed },
    )
  })

  it('gives a grant that was answered at once nearly its whole lifetime', () => {
    const answeredAt = Date.parse('2026-07-01T12:00:00.900Z')
    const cut = Date.parse('2026-07-01T12:00:00.000Z')
    const lifetime = lifetimeFromSendMs({ ttlMs: 60_000, expiresAt: answeredAt + 60_000, answeredAt: cut })
    expect(lifetime).toBe(59_900)
  })
})
