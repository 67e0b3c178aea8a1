import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BACKOFF, backoffMs, type BackoffPolicy, spreadMs } from '../../../core/concurrency/backoff.ts'
import { seed } from '../plan/worlds.ts'

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const LAST_UNIT = 1 - Number.EPSILON
const policies: readonly [string, BackoffPolicy][] = Object.entries(BACKOFF)
const boundMs = ({ firstMs, maxMs, growth }: BackoffPolicy, failures: number): number =>
  Math.min(maxMs, firstMs * growth ** (failures - 1))

describe(`a backoff (seed ${seed})`, () => {
  it.each(policies)('stays within its bounds: %s', (_name, policy) => {
    const { floorMs = 0 } = policy
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), unit, (failures, at) => {
        const ms = backoffMs(policy, failures, at)
        expect(Number.isInteger(ms)).toBe(true)
        expect(ms).toBeGreaterThanOrEqual(floorMs)
        expect(ms).toBeLessThanOrEqual(floorMs + boundMs(policy, failures))
        expect(backoffMs(policy, failures + 1, at)).toBeGreaterThanOrEqual(ms)
      }),
      { seed },
    )
  })

  it('grows by its factor with each failure in a row, up to its maximum', () => {
    const policy = { firstMs: 100, maxMs: 1_000, growth: 2, jitter: 'none' } as const
    expect([1, 2, 3, 4, 5, 6, 1e9].map((failures) => backoffMs(policy, failures, 0.5))).toEqual([
      100, 200, 400, 800, 1_000, 1_000, 1_000,
    ])
    expect(backoffMs({ ...policy, growth: 1.5 }, 3, 0.5)).toBe(225)
    expect(backoffMs({ ...policy, growth: 1 }, 9, 0.5)).toBe(100)
  })

  it('treats "no failure yet" like the first one', () => {
    expect(backoffMs(BACKOFF.restart, 0, 0)).toBe(backoffMs(BACKOFF.restart, 1, 0))
  })

  it('adds its floor to every pause', () => {
    const policy = { firstMs: 100, maxMs: 1_000, growth: 2, jitter: 'full', floorMs: 50 } as const
    expect(backoffMs(policy, 1, 0)).toBe(50)
    expect(backoffMs(policy, 2, 0.5)).toBe(150)
  })

  it('spreads over the whole pause with full jitter, over its upper half with equal jitter', () => {
    const policy = { firstMs: 1_000, maxMs: 1_000, growth: 1 } as const
    const spread = (jitter: BackoffPolicy['jitter']): number[] =>
      [0, 0.25, 0.5, LAST_UNIT].map((at) => backoffMs({ ...policy, jitter }, 1, at))
    expect(spread('full')).toEqual([0, 250, 500, 999])
    expect(spread('equal')).toEqual([500, 625, 750, 999])
    expect(spread('none')).toEqual([1_000, 1_000, 1_000, 1_000])
  })

  it('parts callers that fail together, wherever more than one can', () => {
    const together = policies.filter(([, policy]) => backoffMs(policy, 3, 0.1) === backoffMs(policy, 3, 0.9))
    expect(together.map(([name]) => name)).toEqual(['restart'])
    const narrow = policies.filter(
      ([, policy]) => backoffMs(policy, 20, LAST_UNIT) - backoffMs(policy, 20, 0) < policy.maxMs / 2 - 1,
    )
    expect(narrow.map(([name]) => name)).toEqual(['restart'])
  })
})

describe('a spread time', () => {
  it('takes any value from its minimum to just below its maximum', () => {
    expect([0, 0.5, LAST_UNIT].map((at) => spreadMs({ min: 60, max: 120 }, at))).toEqual([60, 90, 119])
  })
})
