import { describe, expect, it } from 'vitest'
import { SourceError } from '../../core/ports/index.ts'
import type { ControlLoopParts } from '../../lambdas/control-loop/handler.ts'
import { checkNothingRunsOn, checkOneWriter, LambdaWorld, TICK_MS } from './world/lambda-world.ts'

const HOUR_MS = 3_600_000
const WORK_MEMORY_MS = 15 * 60_000

async function hub(over: Partial<ControlLoopParts>): Promise<LambdaWorld> {
  const lambda = new LambdaWorld(1, over)
  await lambda.storeTemplates()
  await lambda.addHost('one')
  return lambda
}

/** Until the hub, which has just been set up, has seen nothing to do for long enough. */
async function untilQuiet(lambda: LambdaWorld): Promise<void> {
  lambda.startSchedule()
  await lambda.world.clock.run(WORK_MEMORY_MS + 3 * TICK_MS)
  expect(await lambda.holder()).toBeUndefined()
}

function storeCallsOf(lambda: LambdaWorld, from: number): number[] {
  return lambda.invocations.slice(from).map(({ storeCalls }) => storeCalls)
}

describe('a hub with nothing to do', () => {
  for (const mode of ['auto', 'economy'] as const) {
    it(`${mode}: looks once a minute with four calls to the store, one of them a write, and holds no lease`, async () => {
      const lambda = await hub({ mode })
      await untilQuiet(lambda)
      const from = lambda.invocations.length
      await lambda.world.clock.run(10 * TICK_MS)
      const looks = storeCallsOf(lambda, from)
      // One in fifteen minutes looks at the whole fleet.
      expect(looks.filter((calls) => calls <= 4).length).toBeGreaterThanOrEqual(looks.length - 1)
      expect(
        lambda.effects.filter(
          ({ what, atMs }) => what === 'ask' && atMs > lambda.invocations[from]!.startedAtMs,
        ).length,
      ).toBeLessThanOrEqual(1)
      checkNothingRunsOn(lambda)
    })

    it(`${mode}: finds a job with its next tick, serves on while work lives, and leaves again`, async () => {
      const lambda = await hub({ mode })
      const { world } = lambda
      await untilQuiet(lambda)
      const seen = world.clock.monotonicMs()
      world.source.enqueue(3, ['small'], 90_000)
      await world.clock.runUntil(() => world.source.openJobs === 0, 3 * 90_000)
      expect(world.clock.monotonicMs() - seen).toBeLessThan(TICK_MS + 95_000)
      await world.clock.run(WORK_MEMORY_MS + 2 * TICK_MS)
      expect(await lambda.holder()).toBeUndefined()
      expect([...world.source.reports.values()].map(({ state }) => state)).toEqual([
        'stopped',
        'stopped',
        'stopped',
      ])
      expect((await world.store.readLease())?.notes.workLeft).toBe(false)
      checkOneWriter(lambda)
    })
  }

  it('continuous: holds the lease all the time', async () => {
    const lambda = await hub({ mode: 'continuous' })
    lambda.startSchedule()
    await lambda.world.clock.run(HOUR_MS)
    expect(await lambda.holder()).toBeDefined()
  })

  it('auto: holds the lease in its busy hours', async () => {
    // The simulation begins on a Tuesday, 22:13 UTC.
    const lambda = await hub({ mode: 'auto', busyHours: '2 23:00-23:30' })
    await untilQuiet(lambda)
    await lambda.world.clock.run(45 * 60_000)
    expect(await lambda.holder()).toBeDefined()
    await lambda.world.clock.run(45 * 60_000)
    expect(await lambda.holder()).toBeUndefined()
  })

  it('looks at the whole fleet all the same when its last holder was killed', async () => {
    const lambda = await hub({ mode: 'economy' })
    const { world } = lambda
    await untilQuiet(lambda)
    world.source.enqueue(1, ['small'], 30_000)
    await world.clock.runUntil(() => world.source.grants.size > 0, 2 * TICK_MS)
    ;(await lambda.holder())!.kill()
    await world.clock.runUntil(() => world.source.openJobs === 0, 4 * TICK_MS)
    await world.clock.run(4 * TICK_MS)
    expect((await world.store.readLease())?.notes.workLeft).toBe(false)
    checkOneWriter(lambda)
  })
})

describe('what stands in the way is told', () => {
  it('a hub without templates asks for nothing, says so, and begins once they are stored', async () => {
    const lambda = new LambdaWorld(1, { mode: 'continuous' })
    const { world } = lambda
    await lambda.addHost('one')
    lambda.startSchedule()
    world.source.enqueue(1, ['small'], 1_000)
    await world.clock.run(TICK_MS)
    expect(lambda.effects.filter(({ what }) => what === 'poll' || what === 'ask')).toEqual([])
    expect(await world.store.readSourceStatuses()).toMatchObject([
      { source: 'sim', state: { kind: 'failing', code: 'templates-missing' } },
    ])
    await lambda.storeTemplates()
    await world.clock.runUntil(() => world.source.openJobs === 0, 30_000)
    await world.clock.run(20_000)
    expect(await world.store.readSourceStatuses()).toMatchObject([{ state: { kind: 'ok' }, waiting: [] }])
  })

  it('a host is told of images that were put into force while nobody planned', async () => {
    const lambda = new LambdaWorld(1, { mode: 'economy' })
    const { world } = lambda
    const { templates } = world
    world.templates = []
    await lambda.addHost('one')
    await world.clock.run(30_000)
    world.templates = templates
    await lambda.storeTemplates()
    lambda.startSchedule()
    world.source.enqueue(1, ['small'], 1_000)
    await world.clock.runUntil(() => world.source.openJobs === 0, 2 * TICK_MS)
    expect(world.source.openJobs).toBe(0)
  })

  for (const mode of ['continuous', 'economy'] as const) {
    it(`${mode}: a source that fails, why, and that it is back`, async () => {
      const lambda = await hub({ mode })
      const { world } = lambda
      await lambda.world.clock.run(1)
      lambda.startSchedule()
      await world.clock.run(3 * TICK_MS)
      world.source.fault = () => new SourceError('unavailable', 'It is down for repair.')
      await world.clock.run(3 * TICK_MS)
      expect(await world.store.readSourceStatuses()).toMatchObject([
        { state: { kind: 'failing', code: 'unavailable', message: 'It is down for repair.' } },
      ])
      world.source.fault = () => null
      await world.clock.run(3 * TICK_MS)
      expect(await world.store.readSourceStatuses()).toMatchObject([{ state: { kind: 'ok' } }])
    })
  }

  it('jobs that wait, and why', async () => {
    const lambda = await hub({ mode: 'continuous' })
    const { world } = lambda
    lambda.startSchedule()
    world.source.enqueue(12, ['small'], 60_000)
    await world.clock.run(30_000)
    const [status] = await world.store.readSourceStatuses()
    expect(status?.waiting).toMatchObject([{ labels: ['small'], queued: 2 }])
    expect(status?.refusals).toEqual([
      { labels: ['small'], count: 2, text: expect.stringContaining('are at their limit of runners') },
    ])
  })
})
