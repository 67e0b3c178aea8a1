// A container that exited and can't be removed for longer than its runner's record is kept.
import { expect, it } from 'vitest'
import { SimWorld } from '../sim/world/sim-world.ts'

const HOUR_MS = 3_600_000

it.fails('a container whose removal hangs for more than a day keeps its slot', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one', { runners: 1 })
  const slots = async () => [...(await world.store.getHost(agent.host))!.slots.keys()]
  const hub = world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(1, ['small'], 2_000)
  await world.clock.runUntil(() => agent.started.length === 1, 60_000)
  const { runner } = agent.started[0]!
  Object.defineProperty(agent.containers.get(runner), 'cleared', { get: () => false, set: () => {} })
  await world.clock.run(60_000)
  const afterAMinute = await slots()
  // No job comes for a day: sweeps and heartbeats are all that happens.
  hub.stop()
  for (let hour = 0; hour < 25; hour += 1) {
    await world.clock.run(HOUR_MS)
    await world.sweep()
  }
  world.startHub({ holder: 'b' })
  await world.clock.run(180_000)
  expect({ afterAMinute, afterADay: await slots() }).toEqual({ afterAMinute: [runner], afterADay: [runner] })
})
