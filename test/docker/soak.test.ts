import { expect, it } from 'vitest'
import { soak } from './support/soak.ts'

it('L4, L7, R1, R6, W4, W9, W10, K2, K4, K6, K7, K17, K19: a hundred jobs amid a fault every three seconds end once each', async (test) => {
  const { ends, faults } = await soak(test, { jobs: 100, overMs: 45_000, faultEveryMs: 3_000 })
  expect(ends).toEqual({ finished: 100 })
  expect(faults).toBe(14)
}, 600_000)
