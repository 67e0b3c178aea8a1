import { expect, it } from 'vitest'
import { killInBursts } from '../docker/support/kill-in-bursts.ts'

it('L4, D11: a hub that is killed with SIGKILL in fifty bursts has a record of every runner that anybody knows', async (test) => {
  expect(await killInBursts(test, 50)).toBeGreaterThan(50)
}, 3_600_000)
