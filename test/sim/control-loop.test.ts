import { describe, expect, it } from 'vitest'
import type { DemandSource } from '../../core/ports/index.ts'
import { checkNothingLeft, checkSafety } from './invariants/invariants.ts'
import { SimWorld } from './world/sim-world.ts'

/** Jobs lost to a reservation that ran out are granted again after its 60 s; some slack on top. */
const LIMIT_MS = 5 * 60_000

async function idle(world: SimWorld): Promise<void> {
  const what = (): string =>
    world.events
      .slice(-8)
      .map((one) => JSON.stringify(one))
      .join('\n')
  await world.clock.runUntil(() => world.sources.every((source) => source.openJobs === 0), LIMIT_MS, what)
  // The slow repair, a sweep and orphans have their turn.
  await world.clock.run(90_000)
}

describe('the control loop, in virtual time', () => {
  it('runs every job once, one container each, and leaves nothing', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const hub = world.startHub({ holder: 'a' })
    agent.connect()
    world.source.enqueue(25, ['small'], 2_000)
    await idle(world)
    expect(agent.started).toHaveLength(25)
    hub.drain()
    await world.clock.runUntil(() => hub.end() !== null, 30_000)
    expect(hub.end()).toBe('stopped')
    await checkNothingLeft(world)
  })

  it('never holds more on a host than its cap while jobs wait, and goes on as slots come free', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one', { runners: 3 })
    world.startHub({ holder: 'a' })
    agent.connect()
    world.source.enqueue(12, ['small'], 3_000)
    let most = 0
    await world.clock.runUntil(() => {
      most = Math.max(most, agent.holding.length)
      return world.source.openJobs === 0
    }, LIMIT_MS)
    expect(most).toBe(3)
    await idle(world)
    await checkNothingLeft(world)
  })

  for (const told of [true, false]) {
    it(`W4: a launch to a host that has just ${told ? 'disconnected' : 'vanished without a word'} is not lost`, async () => {
      const world = new SimWorld()
      const agent = await world.addHost('one')
      world.startHub({ holder: 'a' })
      agent.connect()
      await world.clock.run(2_000)
      world.source.enqueue(5, ['small'], 1_000)
      await world.clock.runUntil(() => world.source.grants.size > 0, 10_000)
      await world.disconnect(agent, { told })
      await world.clock.run(20_000)
      agent.connect()
      await idle(world)
      await checkNothingLeft(world)
    })
  }

  it('W9: a launch that the agent never hears ends by its answer, never by the clock alone, and the job runs', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    world.startHub({ holder: 'a' })
    agent.connect()
    let deaf = true
    agent.hears = (message) => message.type !== 'launch' || !deaf
    world.source.enqueue(3, ['small'], 1_000)
    await world.clock.runUntil(() => agent.refused.size === 3, 60_000)
    expect(agent.started).toHaveLength(0)
    deaf = false
    await idle(world)
    await checkNothingLeft(world)
  })

  it('K1: failing starts back off, per host: the other host takes the work at once', async () => {
    const world = new SimWorld()
    const [bad, good] = [await world.addHost('bad'), await world.addHost('good')]
    bad.failStarts = true
    world.startHub({ holder: 'a' })
    bad.connect()
    good.connect()
    await world.clock.run(2_000)
    world.source.enqueue(8, ['small'], 1_000)
    await world.clock.runUntil(() => world.source.openJobs === 0, 30_000)
    expect(good.started).toHaveLength(8)
    expect(world.count('host.backing-off')).toBeGreaterThan(0)
    await idle(world)
    await checkNothingLeft(world)
  })

  it('R6: a source that fails every call delays no other', async () => {
    const world = new SimWorld(1, ['broken', 'whole'])
    const agent = await world.addHost('one')
    const [broken, whole] = world.sources
    const { SourceError } = await import('../../core/ports/index.ts')
    broken!.fault = () => new SourceError('unavailable', 'It is down.')
    world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(2_000)
    whole!.enqueue(6, ['small'], 1_000)
    await world.clock.runUntil(() => whole!.openJobs === 0, 15_000)
    checkSafety(world)
  })

  it('G7, G11, inv. 4: a source that now and then says falsely that a runner has ended, or never began, stops no job', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const { source } = world
    let readings = 0
    const doubtful: DemandSource = {
      id: source.id,
      authenticate: () => source.authenticate(),
      poll: (request, signal) => source.poll(request, signal),
      mint: (request) => source.mint(request),
      report: (reports) => source.report(reports),
      reconcile: async (observed) => {
        readings += 1
        const isFalse = readings % 2 === 0
        const rows = await source.reconcile(observed)
        return rows.map((row) => (isFalse ? { ...row, registered: false, jobBound: true, ended: true } : row))
      },
    }
    world.startHub({ holder: 'a', sources: [doubtful] })
    agent.connect()
    await world.clock.run(2_000)
    source.enqueue(2, ['small'], 10 * 60_000)
    await world.clock.runUntil(() => source.openJobs === 0, 11 * 60_000)
    expect(readings).toBeGreaterThan(15)
    await idle(world)
    expect(world.count('runner.stop-ordered')).toBe(0)
    await checkNothingLeft(world)
  })

  it('two sources share one small host without ever holding more than it has', async () => {
    const world = new SimWorld(3, ['left', 'right'])
    const agent = await world.addHost('one', { runners: 4 })
    world.startHub({ holder: 'a' })
    agent.connect()
    for (const source of world.sources) source.enqueue(10, ['small'], 2_000)
    let most = 0
    await world.clock.runUntil(() => {
      most = Math.max(most, agent.holding.length)
      return world.sources.every((source) => source.openJobs === 0)
    }, LIMIT_MS)
    expect(most).toBeLessThanOrEqual(4)
    await idle(world)
    await checkNothingLeft(world)
  })
})

describe('one planner at a time', () => {
  it('L2: a second hub waits for the lease, and takes over when the first releases it', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const first = world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(3_000)
    const second = world.startHub({ holder: 'b' })
    await world.clock.run(10_000)
    expect(world.count('lease.taken')).toBe(1)
    first.drain()
    await world.clock.runUntil(() => first.end() !== null, 20_000)
    await world.clock.runUntil(() => world.count('lease.taken') === 2, 5_000)
    world.source.enqueue(4, ['small'], 1_000)
    await idle(world)
    second.drain()
    await world.clock.runUntil(() => second.end() !== null, 30_000)
    await checkNothingLeft(world)
  })

  it('a newer build is yielded to at the next renewal', async () => {
    const world = new SimWorld()
    const old = world.startHub({ holder: 'a', build: '1' })
    await world.clock.run(1_000)
    await world.store.requestYield({ holder: 'a', build: '2' })
    await world.clock.runUntil(() => old.end() !== null, 10_000)
    expect(old.end()).toBe('yielded')
  })
})
