// A runner whose record was lost, rebuilt from the snapshot of its host.
import { expect, it } from 'vitest'
import type { FleetStore } from '../../core/ports/index.ts'
import { SimWorld } from '../sim/world/sim-world.ts'

it.fails('a rebuilt runner that has ended meanwhile is reported to its source', async () => {
  const unwatched: FleetStore[] = []
  const world = new SimWorld(1, ['sim'], (store) => {
    unwatched.push(store)
    return store
  })
  const agent = await world.addHost('one')
  const hub = world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(1, ['small'], 5_000)
  await world.clock.runUntil(() => agent.started.length === 1, 60_000)
  const id = agent.started[0]!.runner
  await world.clock.run(2_000)
  // The host is cut off and its job ends; meanwhile the runner's record is removed by hand, or a backup is restored.
  await world.disconnect(agent, { told: true })
  await world.clock.run(10_000)
  hub.stop()
  await world.clock.run(5_000)
  const ending = { outcome: 'lost', code: 'host-dead', reason: 'x', exitCode: null } as const
  await unwatched[0]!.endRunner({ host: agent.host, id, ending, now: 0 })
  await unwatched[0]!.forgetRunner({ host: agent.host, id })
  world.startHub({ holder: 'b' })
  await world.clock.run(5_000)
  agent.connect()
  await world.clock.run(120_000)
  expect(world.source.reports.get(id)?.state).toBe('stopped')
})
