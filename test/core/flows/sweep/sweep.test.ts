import { expect, it } from 'vitest'
import { HOST_DEAD_AFTER_MS, sweep } from '../../../../core/flows/index.ts'
import { connectionId, FINISHED_TOMBSTONE_MS } from '../../../../core/model/index.ts'
import { SourceError } from '../../../../core/ports/index.ts'
import { checkSafety } from '../../../sim/invariants/invariants.ts'
import { SimWorld } from '../../../sim/world/sim-world.ts'

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
  expect((await world.store.listLiveRunners(agent.host)).runners).toHaveLength(2)
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

it('D3: the tombstone of a runner that finished goes after half an hour, once its source knows', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  let away = true
  world.source.fault = (call) => (away && call === 'report' ? new SourceError('unavailable', 'Away.') : null)
  world.source.enqueue(2, ['small'], 1_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 60_000)
  const count = async (): Promise<number> => (await world.store.readFleet()).runners.length
  await world.clock.run(FINISHED_TOMBSTONE_MS + 120_000)
  await world.sweep()
  expect(await count()).toBe(2)
  away = false
  await world.clock.run(120_000)
  const [kept] = (await world.store.readFleet()).runners
  const { template, cpuMillis, memoryMib } = kept!
  const slot = { template, cpuMillis, memoryMib }
  const held = { host: agent.host, runner: kept!.id, now: world.clock.now() }
  await world.store.adoptSlot({ ...held, slot })
  await world.sweep()
  expect((await world.store.readFleet()).runners.map(({ id }) => id)).toEqual([kept!.id])
  await world.store.freeSlot(held)
  await world.sweep()
  expect(await count()).toBe(0)
  checkSafety(world)
})

it('a session that has just begun is not taken for silent, whatever the last one was expected by', async () => {
  const { world, agent } = await busyWorld()
  await world.disconnect(agent, { told: true })
  await world.clock.run(10 * 60_000)
  const facts = {
    install: `install-${agent.host}`,
    capacity: { cpuMillis: 1, memoryMib: 1, runners: 1 },
    accepting: true,
    notAcceptingReason: null,
  }
  const connection = connectionId('next')
  await world.store.beginSession({ host: agent.host, connection, facts, now: world.clock.now() })
  await world.sweep()
  expect(await world.store.getHost(agent.host)).toMatchObject({ state: 'syncing', connection })
  await world.clock.run(60_000)
  await world.sweep()
  expect(await world.store.getHost(agent.host)).toMatchObject({ state: 'offline', connection: null })
})

it('H8: a host that was removed takes its runners with it, and its source hears of it', async () => {
  const { world, agent } = await busyWorld()
  await world.disconnect(agent, { told: true })
  await world.store.removeHost(agent.host)
  await world.sweep()
  expect((await world.store.listLiveRunners(agent.host)).runners).toEqual([])
  await world.clock.run(5_000)
  const told = [...world.source.reports.values()]
  expect(told.map(({ state, reason }) => [state, reason])).toEqual([
    ['failed', 'Host one was removed.'],
    ['failed', 'Host one was removed.'],
  ])
})

it('L14: what can not be done about one host holds up no other', async () => {
  const { world, agent } = await busyWorld()
  const other = await world.addHost('two')
  other.connect()
  await world.clock.run(2_000)
  for (const one of [agent, other]) await world.disconnect(one, { told: true })
  await world.clock.run(HOST_DEAD_AFTER_MS + 1_000)
  const store = {
    ...world.store,
    declareDead: async (request: Parameters<typeof world.store.declareDead>[0]) => {
      if (request.host === agent.host) throw new Error('The item is damaged.')
      return world.store.declareDead(request)
    },
  }
  await expect(sweep({ ...world.session(), store })).rejects.toThrow('The item is damaged.')
  expect((await world.store.getHost(other.host))?.state).toBe('dead')
})

it('H8: so does a host that was removed and added again, and has not connected since', async () => {
  const { world, agent } = await busyWorld()
  await world.disconnect(agent, { told: true })
  await world.store.removeHost(agent.host)
  await world.store.addHost({ id: agent.host, tags: [], tokenHash: 'other', now: world.clock.now() })
  await world.sweep()
  await world.clock.run(5_000)
  expect((await world.store.listLiveRunners(agent.host)).runners).toEqual([])
  expect([...world.source.reports.values()].map(({ state }) => state)).toEqual(['failed', 'failed'])
})
