import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  pollWaitSeconds,
  type LastPoll,
  pollSpacingMs,
  UNAUTHORIZED_RETRY_MS,
  WORK_MEMORY_MS,
} from '../../../../core/plan/index.ts'
import { seed } from '../worlds.ts'

const limits = { pollWaitSecondsMax: 30, pollIntervalMs: 1_000, pollIntervalMaxMs: 5_000 }
const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const anyLimits = fc.record({
  pollWaitSecondsMax: fc.nat({ max: 30 }),
  pollIntervalMs: fc.integer({ min: 1, max: 10_000 }),
  pollIntervalMaxMs: fc.integer({ min: 10_000, max: 60_000 }),
})
const spacing = (last: LastPoll, msSinceWork = 0, at = 0.5): number =>
  pollSpacingMs(last, limits, msSinceWork, at)

describe(`the pace of polls (seed ${seed})`, () => {
  it('holds polls for a second while work may come, and long only after 15 quiet minutes', () => {
    expect(pollWaitSeconds(limits, 0)).toBe(1)
    expect(pollWaitSeconds(limits, 15 * 60_000 - 1)).toBe(1)
    expect(pollWaitSeconds(limits, 15 * 60_000)).toBe(30)
    expect(WORK_MEMORY_MS).toBe(15 * 60_000)
  })

  it('never holds a poll longer than the owner allows', () => {
    fc.assert(
      fc.property(anyLimits, fc.nat(), (allowed, quietMs) => {
        expect(pollWaitSeconds(allowed, quietMs)).toBeLessThanOrEqual(allowed.pollWaitSecondsMax)
      }),
      { seed },
    )
    for (const quietMs of [0, WORK_MEMORY_MS])
      expect(pollWaitSeconds({ ...limits, pollWaitSecondsMax: 0 }, quietMs)).toBe(0)
  })

  it('polls again at once after a grant, and at first', () => {
    expect(spacing({ kind: 'granted' })).toBe(0)
    expect(spacing({ kind: 'none' })).toBe(0)
  })

  it('keeps its interval after an empty answer while work may come, however many there were', () => {
    for (const inRow of [0, 1, 50]) expect(spacing({ kind: 'empty', inRow })).toBe(1_000)
  })

  it('slows down to its longest interval in quiet hours', () => {
    const paces = [0, 1, 2, 3, 50].map((inRow) => spacing({ kind: 'empty', inRow }, WORK_MEMORY_MS))
    expect(paces).toEqual([1_000, 2_000, 4_000, 5_000, 5_000])
  })

  it('20: backs off from a failing source further and further, with jitter, within bounds', () => {
    const failed = (inRow: number): LastPoll => ({ kind: 'failed', inRow, retryAfterMs: null })
    fc.assert(
      fc.property(anyLimits, fc.integer({ min: 1, max: 100 }), unit, (allowed, inRow, at) => {
        const pause = pollSpacingMs(failed(inRow), allowed, 0, at)
        expect(pause).toBeGreaterThanOrEqual(allowed.pollIntervalMs / 2)
        expect(pause).toBeLessThanOrEqual(allowed.pollIntervalMs / 2 + 6 * allowed.pollIntervalMaxMs)
        expect(pollSpacingMs(failed(inRow + 1), allowed, 0, at)).toBeGreaterThanOrEqual(pause)
      }),
      { seed },
    )
    expect(spacing(failed(3), 0, 0.9)).toBeGreaterThan(spacing(failed(3), 0, 0.1))
  })

  it('G18: waits as long as a failing source asks for', () => {
    fc.assert(
      fc.property(fc.nat({ max: 3_600_000 }), unit, (retryAfterMs, at) => {
        const pause = spacing({ kind: 'failed', inRow: 1, retryAfterMs }, 0, at)
        expect(pause).toBeGreaterThanOrEqual(retryAfterMs)
      }),
      { seed },
    )
  })

  it('S11: looks rarely whether a refused token is fixed', () => {
    expect(spacing({ kind: 'unauthorized' })).toBe(UNAUTHORIZED_RETRY_MS)
    expect(UNAUTHORIZED_RETRY_MS).toBeGreaterThanOrEqual(60_000)
  })
})
