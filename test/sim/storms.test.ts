import { describe, expect, it } from 'vitest'
import { SourceError } from '../../core/ports/index.ts'
import { checkNothingLeft } from './invariants/invariants.ts'
import { SimWorld } from './world/sim-world.ts'

const MINUTE_MS = 60_000

describe('a fault that lasts makes no storm', () => {
  it('W4: a host whose connection is gone without a word gets no second launch before it is back', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(2_000)
    await world.disconnect(agent, { told: false })
    world.source.enqueue(3, ['small'], 1_000)
    await world.clock.run(2 * MINUTE_MS)
    expect(world.source.mintCalls).toBeLessThanOrEqual(3)
    agent.connect()
    await world.clock.runUntil(() => world.source.openJobs === 0, 2 * MINUTE_MS)
    await world.clock.run(MINUTE_MS)
    await checkNothingLeft(world)
  })

  for (const kind of ['protocol', 'unauthorized', 'unknown-outcome'] as const) {
    it(`inv. 20: while every mint fails (${kind}), attempts get rare, and work goes on once it is fixed`, async () => {
      const world = new SimWorld()
      const agent = await world.addHost('one')
      world.startHub({ holder: 'a' })
      agent.connect()
      await world.clock.run(2_000)
      world.source.fault = (call) => (call === 'mint' ? new SourceError(kind, 'No mint today.') : null)
      world.source.enqueue(5, ['small'], 1_000)
      await world.clock.run(5 * MINUTE_MS)
      expect(world.source.mintCalls).toBeLessThanOrEqual(30)
      world.source.fault = () => null
      await world.clock.runUntil(() => world.source.openJobs === 0, 7 * MINUTE_MS)
      await world.clock.run(MINUTE_MS)
      await checkNothingLeft(world)
    })
  }

  it('G18: a mint that is rate-limited is not tried again before the time that the source named', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one', { runners: 40 })
    world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(2_000)
    const limited = new SourceError('rate-limited', 'Too many calls.', { retryAfterMs: 20_000 })
    world.source.fault = (call) => (call === 'mint' ? limited : null)
    world.source.enqueue(5, ['small'], 1_000)
    await world.clock.run(5_000)
    world.source.enqueue(5, ['small'], 1_000)
    await world.clock.run(10_000)
    expect(world.source.mintCalls).toBe(1)
  })

  it('R6: a source that fails is not asked sooner because hosts change, however much work another one has', async () => {
    const world = new SimWorld(1, ['broken', 'whole'])
    const agent = await world.addHost('one', { runners: 2 })
    const [broken, whole] = world.sources
    world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(2_000)
    let polls = 0
    broken!.fault = (call) => {
      if (call === 'poll') polls += 1
      return new SourceError('rate-limited', 'Too many calls.', { retryAfterMs: 30_000 })
    }
    broken!.enqueue(2, ['small'], 1_000)
    whole!.enqueue(40, ['small'], 2_000)
    await world.clock.run(MINUTE_MS)
    expect(polls).toBeLessThanOrEqual(4)
  })

  it('L11: one change of a host wakes a starved source once, not for as long as the change is repeated', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one', { runners: 1 })
    world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(2_000)
    world.source.enqueue(1, ['small'], 10 * MINUTE_MS)
    await world.clock.runUntil(() => agent.started.length === 1, 10_000)
    world.source.enqueue(3, ['small'], 1_000)
    await world.clock.run(30_000)
    let polls = 0
    world.source.fault = (call) => {
      if (call === 'poll') polls += 1
      return null
    }
    const host = await world.store.getHost(agent.host)
    await world.store.setAccepting({
      host: agent.host,
      epoch: host!.epoch,
      accepting: false,
      reason: 'A look at it.',
      now: world.clock.now(),
    })
    await world.clock.run(10_000)
    expect(polls).toBeLessThanOrEqual(12)
  })
})
