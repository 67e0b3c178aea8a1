import { describe, expect, it } from 'vitest'
import { finish, LIMIT_MS, stage, untouchedRun } from './world/crash-stage.ts'
import { Life } from './world/mortal.ts'

/** How many calls a hub makes from its start until the last job has ended and all is settled. */
async function callsOfOneRun(): Promise<number> {
  const { world, life } = await untouchedRun()
  await world.clock.run(2_000)
  const { calls } = life
  await finish(world)
  return calls
}

const total = await callsOfOneRun()

describe(`a hub that stops at any of its ${total} calls: inv. 1–12, 14–17 hold, and nothing stays`, () => {
  for (const when of ['before', 'after'] as const) {
    it(`L4: killed ${when} any call took effect, its successor repairs what it left`, async () => {
      for (let call = 1; call <= total; call += 1) {
        const { world, hosts, start, queue } = await stage()
        const life = new Life(call, when)
        start('a', life)
        for (const host of hosts) host.connect()
        await world.clock.run(1_000)
        queue()
        await world.clock.runUntil(() => life.stopped, LIMIT_MS)
        await world.clock.run(500)
        start('b', new Life())
        await finish(world).catch((thrown: unknown) => {
          throw new Error(`killed ${when} call ${call}`, { cause: thrown })
        })
      }
    })
  }

  it('L2: paused at any call until a successor has taken over, it wakes without any effect of its own', async () => {
    for (let call = 1; call <= total; call += 1) {
      const { world, hosts, start, queue } = await stage()
      const life = new Life(call)
      const paused = start('a', life)
      for (const host of hosts) host.connect()
      await world.clock.run(1_000)
      queue()
      await world.clock.runUntil(() => life.stopped, LIMIT_MS)
      start('b', new Life())
      await world.clock.runUntil(() => world.count('lease.taken') === 2 || call < 3, 60_000)
      life.resume()
      await finish(world).catch((thrown: unknown) => {
        throw new Error(`paused at call ${call}`, { cause: thrown })
      })
      if (paused.end() !== null) expect(paused.end()).toMatch(/lost|stopped|failed/)
    }
  })
})
