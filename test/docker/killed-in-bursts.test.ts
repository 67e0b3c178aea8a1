import { expect, it } from 'vitest'
import { killInBursts } from './support/kill-in-bursts.ts'

it('L4, D11: a hub that is killed with SIGKILL in five bursts has a record of every runner that anybody knows', async (test) => {
  expect(await killInBursts(test, 5)).toBeGreaterThan(5)
}, 600_000)
