import { describe, expect, it } from 'vitest'
import { checkNothingLeft, checkSafety } from './invariants.ts'
import { Life } from './mortal.ts'
import type { SimAgent } from './sim-agent.ts'
import { type SimHub, SimWorld } from './sim-world.ts'

const JOBS = 3
const LIMIT_MS = 10 * 60_000

interface Stage {
  readonly world: SimWorld
  readonly hosts: readonly SimAgent[]
  start(holder: string, life: Life): SimHub
}

async function stage(): Promise<Stage> {
  const world = new SimWorld()
  const hosts = [await world.addHost('one', { runners: 2 }), await world.addHost('two', { runners: 2 })]
  return {
    world,
    hosts,
    start: (holder, life) =>
      world.startHub({
        holder,
        store: life.limit(world.store),
        gateway: life.limit(world.gateway()),
        sources: world.sources.map((source) => life.limit(source)),
      }),
  }
}

/** How many calls a hub makes from its start until the last job has ended and all is settled. */
async function callsOfOneRun(): Promise<number> {
  const { world, hosts, start } = await stage()
  const life = new Life()
  start('a', life)
  for (const host of hosts) host.connect()
  await world.clock.run(1_000)
  world.source.enqueue(JOBS, ['small'], 1_500)
  await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
  await world.clock.run(2_000)
  return life.calls
}

async function finish(world: SimWorld): Promise<void> {
  const what = (): string =>
    world.events
      .slice(-8)
      .map((one) => JSON.stringify(one))
      .join('\n')
  await world.clock.runUntil(
    () => {
      checkSafety(world)
      return world.source.openJobs === 0
    },
    LIMIT_MS,
    what,
  )
  await world.clock.run(100_000)
  await world.sweep()
  await checkNothingLeft(world)
}

const total = await callsOfOneRun()

describe(`a hub that stops at any of its ${total} calls`, () => {
  for (const when of ['before', 'after'] as const) {
    it(`L4: killed ${when} any call took effect, its successor mends what it left`, async () => {
      for (let call = 1; call <= total; call += 1) {
        const { world, hosts, start } = await stage()
        const life = new Life(call, when)
        start('a', life)
        for (const host of hosts) host.connect()
        await world.clock.run(1_000)
        world.source.enqueue(JOBS, ['small'], 1_500)
        await world.clock.runUntil(() => life.stopped, LIMIT_MS)
        await world.clock.run(500)
        start('b', new Life())
        await finish(world).catch((thrown: unknown) => {
          throw new Error(`killed ${when} call ${call}`, { cause: thrown })
        })
      }
    }, 120_000)
  }

  it('L2: paused at any call until a successor has taken over, it wakes without any effect of its own', async () => {
    for (let call = 1; call <= total; call += 1) {
      const { world, hosts, start } = await stage()
      const life = new Life(call)
      const paused = start('a', life)
      for (const host of hosts) host.connect()
      await world.clock.run(1_000)
      world.source.enqueue(JOBS, ['small'], 1_500)
      await world.clock.runUntil(() => life.stopped, LIMIT_MS)
      start('b', new Life())
      await world.clock.runUntil(() => world.count('lease.taken') === 2 || call < 3, 60_000)
      life.resume()
      await finish(world).catch((thrown: unknown) => {
        throw new Error(`paused at call ${call}`, { cause: thrown })
      })
      if (paused.end() !== null) expect(paused.end()).toMatch(/lost|stopped|failed/)
    }
  }, 120_000)
})
