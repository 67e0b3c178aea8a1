import { expect, it } from 'vitest'
import { SlipwayError } from '../../core/model/index.ts'
import { type DemandSource, SourceError } from '../../core/ports/index.ts'
import { splitHubMessage } from '../../protocol/agent.ts'
import { checkSafety } from './invariants/invariants.ts'
import { SimWorld } from './world/sim-world.ts'
import { template } from '../support/template.ts'

it('inv. 20: a launch that is too large for a frame ends as a failure of its own, holds up no other, and makes no storm', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.templates = [template('small'), template('large', { env: { NOTE: 'x'.repeat(40_000) } })]
  const gateway = world.gateway()
  world.startHub({
    holder: 'a',
    gateway: {
      ...gateway,
      post: async (connection, message) => {
        splitHubMessage(message)
        return gateway.post(connection, message)
      },
    },
  })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(3, ['large'], 1_000)
  world.source.enqueue(3, ['small'], 1_000)
  await world.clock.run(10 * 60_000)
  expect(world.source.jobs.filter(({ state }) => state === 'done')).toHaveLength(3)
  const ends = world.eventsOf('runner.gone').map(({ code }) => code)
  expect(new Set(ends)).toEqual(new Set(['exited', 'launch-too-large']))
  // Pauses double from 5 s to 5 min.
  expect(world.source.mintCalls).toBeLessThan(20)
  expect(world.count('launch.delivery-unknown')).toBe(0)
  checkSafety(world)
})

it('a start says how long the job and the reservation have waited for it', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one', { runners: 1 })
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(2, ['small'], 20_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 90_000)
  const [first, second] = world.eventsOf('runner.running')
  expect(first?.reservedMs).toBeLessThan(1_000)
  expect(first?.queuedMs).toBeGreaterThanOrEqual(first?.reservedMs ?? Infinity)
  expect(second?.queuedMs).toBeGreaterThan(20_000)
  expect(second?.reservedMs).toBeLessThan(1_000)
})

it('a source that asks for a pause is told nothing before that pause is over', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  const reportedAtMs: number[] = []
  world.source.fault = (call) => {
    if (call !== 'report') return null
    reportedAtMs.push(world.clock.monotonicMs())
    return new SourceError('rate-limited', 'Not so fast.', { retryAfterMs: 45_000 })
  }
  world.source.enqueue(1, ['small'], 300_000)
  await world.clock.run(200_000)
  expect(reportedAtMs.length).toBeGreaterThan(2)
  for (const [index, atMs] of reportedAtMs.slice(1).entries())
    expect(atMs - reportedAtMs[index]!).toBeGreaterThanOrEqual(45_000)
})

it('new templates are in force within seconds, and the hosts are told to fetch their images', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  let changed = false
  const fetched: string[] = []
  agent.hears = (message) => {
    if (message.type === 'prefetch') fetched.push(...message.images.map(({ image }) => image))
    return true
  }
  world.startHub({ holder: 'a', refreshTemplates: async () => changed && !(changed = false) })
  agent.connect()
  await world.clock.run(2_000)
  world.templates = [template('other', { image: 'another-image' })]
  changed = true
  world.source.enqueue(1, ['other'], 1_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 30_000)
  expect(fetched).toContain('another-image')
})

it('a source whose token is missing is not asked again at once, and its status says which one', async () => {
  const world = new SimWorld()
  const { SecretMissing } = await import('../../core/ports/index.ts')
  let asked = 0
  const missing: DemandSource = {
    id: world.source.id,
    authenticate: async () => {
      asked += 1
      throw new SecretMissing(world.source.id, '/slipway/x/sim-token')
    },
    poll: () => Promise.reject(new SlipwayError('sim', 'It was polled.')),
    mint: (request) => world.source.mint(request),
    report: (reports) => world.source.report(reports),
    reconcile: (observed) => world.source.reconcile(observed),
  }
  world.startHub({ holder: 'a', sources: [missing] })
  await world.clock.run(150_000)
  expect(asked).toBe(3)
  expect(await world.store.readSourceStatuses()).toMatchObject([
    { state: { kind: 'secret-missing', parameter: '/slipway/x/sim-token' } },
  ])
})

it('inv. 3: a template that grows between claim and mint starts nothing in the slot of its old size', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  let grown = false
  world.source.fault = (call) => {
    if (call !== 'mint' || grown) return null
    grown = true
    const size = { cpuMillis: 2_000, memoryMib: 2_048 }
    world.templates = [template('small', { size })]
    return new SourceError('unavailable', 'A moment, please.')
  }
  world.source.enqueue(1, ['small'], 1_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 120_000)
  await world.clock.run(5_000)
  const ends = world.eventsOf('runner.gone').map(({ code }) => code)
  expect(ends).toEqual(['mint-refused', 'exited'])
  const gone = (await world.store.readFleet()).runners.find(({ id }) => id === agent.started[0]?.runner)
  expect(gone?.cpuMillis).toBe(2_000)
  expect(agent.started).toHaveLength(1)
})

it('inv. 20: a source that grants jobs and takes no reports is told of as failing, until it takes them', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  world.startHub({ holder: 'a' })
  agent.connect()
  let refuses = true
  world.source.fault = (call) =>
    refuses && call === 'report' ? new SourceError('protocol', 'Not that one.') : null
  world.source.enqueue(1, ['small'], 20 * 60_000)
  const state = async () => (await world.store.readSourceStatuses())[0]?.state
  await world.clock.run(60_000)
  expect(await state()).toEqual({ kind: 'ok' })
  await world.clock.run(150_000)
  expect(await state()).toEqual({ kind: 'failing', code: 'protocol', message: 'Not that one.' })
  const alive = world.eventsOf('loop.alive').at(-1)
  expect(alive?.sourcesFailing).toBe(1)
  refuses = false
  await world.clock.run(60_000)
  expect(await state()).toEqual({ kind: 'ok' })
})
