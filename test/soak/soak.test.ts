import { expect, it } from 'vitest'
import { soak } from '../docker/support/soak.ts'

/** A heap breathes; what leaks grows with every job. */
const GROWTH_MAX = 1.3

it('L4, L7, R1, R6, W4, W9, W10, K2, K4, K6, K7, K17, K19: two thousand jobs over ten minutes, amid a fault every twenty seconds, end once each', async (test) => {
  const { ends, faults, growth } = await soak(test, { jobs: 2_000, overMs: 600_000, faultEveryMs: 20_000 })
  expect(ends).toEqual({ finished: 2_000 })
  expect(faults).toBe(29)
  expect(growth.hub).toBeLessThan(GROWTH_MAX)
  expect(growth.agent).toBeLessThan(GROWTH_MAX)
}, 1_800_000)
