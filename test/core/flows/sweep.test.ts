import { expect, it } from 'vitest'
import { HOST_DEAD_AFTER_MS } from '../../../core/flows/index.ts'
import { checkSafety } from '../../sim/invariants.ts'
import { SimWorld } from '../../sim/sim-world.ts'

async function busyWorld() {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(2_000)
  world.source.enqueue(2, ['small'], 60 * 60_000)
  await world.clock.runUntil(() => agent.started.length === 2, 10_000)
  return { world, agent }
}

it('W5: a host that falls silent is offline after its heartbeats are missed, and keeps its runners', async () => {
  const { world, agent } = await busyWorld()
  await world.disconnect(agent, { told: false })
  await world.sweep()
  expect((await world.store.getHost(agent.host))?.state).toBe('online')
  await world.clock.run(160_000)
  await world.sweep()
  expect((await world.store.getHost(agent.host))?.state).toBe('offline')
  expect(await world.store.listLiveRunners(agent.host)).toHaveLength(2)
})

it('E2: a host that stays away is declared dead; its runners are lost once and its slots are free', async () => {
  const { world, agent } = await busyWorld()
  await world.disconnect(agent, { told: true })
  await world.clock.run(HOST_DEAD_AFTER_MS + 1_000)
  await world.sweep()
  const host = await world.store.getHost(agent.host)
  expect(host?.state).toBe('dead')
  expect(host?.slots.size).toBe(0)
  await world.clock.run(5_000)
  const told = [...world.source.reports.values()]
  expect(told.filter((report) => report.state === 'failed')).toHaveLength(2)
  checkSafety(world)
})

it('tombstones stay for a day and are then removed', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  world.source.enqueue(1, ['small'], 1_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 60_000)
  await world.clock.run(5_000)
  await world.sweep()
  expect((await world.store.readFleet()).runners).toHaveLength(1)
  await world.store.removeExpired({ before: world.clock.now() - 24 * 3_600_000 + 1, limit: 10 })
  expect((await world.store.readFleet()).runners).toHaveLength(1)
  expect(await world.store.removeExpired({ before: world.clock.now() + 1, limit: 10 })).toBe(1)
  expect((await world.store.readFleet()).runners).toHaveLength(0)
})
