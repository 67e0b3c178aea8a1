import type { SourceLimits } from '../../../../core/model/index.ts'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countMint, type MintAllowance, mintAllowance, type MintWindow } from '../../../../core/plan/index.ts'
import { NOW, seed } from '../worlds.ts'

const WINDOW_MS = 60_000

function limits(max: number | null = 120, mintBatchMax = 250): SourceLimits {
  return {
    templatesMax: 100,
    mintBatchMax,
    mintCalls: max === null ? null : { max, windowMs: WINDOW_MS },
    reservationsMax: 250,
    pollWaitSecondsMax: 30,
    pollIntervalMs: 1_000,
    pollIntervalMaxMs: 5_000,
    reportIntervalMs: 1_000,
    registrationDeadlineMs: 120_000,
    reservationTtlMs: 60_000,
    warm: false,
  }
}

const after = (calls: number, now = NOW + 1_000, max = 120): MintAllowance =>
  mintAllowance(limits(max), { startedAt: NOW, calls }, now)

describe(`mint calls (seed ${seed})`, () => {
  it('are small, so that a crash burns few tokens', () => {
    expect(mintAllowance(limits(), undefined, NOW)).toEqual({ batch: 5 })
    expect(after(1)).toEqual({ batch: 5 })
    expect(after(79)).toEqual({ batch: 5 })
  })

  it('grow when the limit is near, and keep 20 calls in reserve', () => {
    expect(after(80)).toEqual({ batch: 250 })
    expect(after(99)).toEqual({ batch: 250 })
    expect(after(100)).toEqual({ waitMs: WINDOW_MS - 1_000 })
    expect(after(500)).toEqual({ waitMs: WINDOW_MS - 1_000 })
  })

  it('go on as soon as the window is over', () => {
    expect(after(100, NOW + WINDOW_MS - 1)).toEqual({ waitMs: 1 })
    expect(after(100, NOW + WINDOW_MS)).toEqual({ batch: 5 })
    expect(countMint(limits(), { startedAt: NOW, calls: 100 }, NOW + WINDOW_MS)).toEqual({
      startedAt: NOW + WINDOW_MS,
      calls: 1,
    })
  })

  it('never carry more than the source takes', () => {
    expect(mintAllowance(limits(120, 4), undefined, NOW)).toEqual({ batch: 4 })
    expect(mintAllowance(limits(120, 4), { startedAt: NOW, calls: 90 }, NOW)).toEqual({ batch: 4 })
  })

  it('are not counted against a source without a limit', () => {
    const window = countMint(limits(null), { startedAt: NOW, calls: 1_000 }, NOW + 1)
    expect(mintAllowance(limits(null), window, NOW + 1)).toEqual({ batch: 5 })
  })

  it('13: do not wait for a window that another clock put into the future', () => {
    const window = { startedAt: NOW + 3_600_000, calls: 120 }
    expect(mintAllowance(limits(), window, NOW)).toEqual({ batch: 5 })
    expect(countMint(limits(), window, NOW)).toEqual({ startedAt: NOW, calls: 1 })
  })

  it('use most of a small window too', () => {
    expect(after(1, NOW, 8)).toEqual({ batch: 5 })
    expect(after(4, NOW, 8)).toEqual({ batch: 250 })
    expect(after(6, NOW, 8)).toEqual({ waitMs: WINDOW_MS })
    expect(after(1, NOW, 2)).toEqual({ batch: 5 })
    expect(after(2, NOW, 2)).toEqual({ waitMs: WINDOW_MS })
  })

  it('keep the limit in every window, and are never put off for longer than one', () => {
    const steps = fc.array(fc.nat({ max: 5_000 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), steps, (max, pauses) => {
        let window: MintWindow | undefined
        let now = NOW
        const calls: number[] = []
        for (const pauseMs of pauses) {
          now += pauseMs
          const allowance = mintAllowance(limits(max), window, now)
          if ('waitMs' in allowance) {
            expect(allowance.waitMs).toBeGreaterThan(0)
            expect(allowance.waitMs).toBeLessThanOrEqual(WINDOW_MS)
            now += allowance.waitMs
            expect(mintAllowance(limits(max), window, now)).toEqual({ batch: 5 })
          }
          window = countMint(limits(max), window, now)
          calls.push(window.startedAt)
        }
        for (const group of Map.groupBy(calls, (startedAt) => startedAt).values())
          expect(group.length).toBeLessThanOrEqual(max)
      }),
      { seed },
    )
  })
})
