import { describe, expect, it } from 'vitest'
import { SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { controlLoopHandler } from '../../lambdas/control-loop/handler.ts'
import { checkNothingLeft, checkSafety } from './invariants/invariants.ts'
import { TIMEOUT_MS } from './world/invocation.ts'
import {
  checkFailures,
  checkNothingRunsOn,
  checkOneWriter,
  LambdaWorld,
  TICK_MS,
} from './world/lambda-world.ts'
import { SimRandom } from './world/sim-clock.ts'
import type { SimWorld } from './world/sim-world.ts'

const HOUR_MS = 3_600_000
const LIMIT_MS = 20 * 60_000

async function hub(seed = 1): Promise<LambdaWorld> {
  const lambda = new LambdaWorld(seed, { mode: 'continuous' })
  await lambda.storeTemplates()
  await lambda.addHost('one')
  return lambda
}

/** `injected`: the codes of what the test itself let fail. */
async function finish(lambda: LambdaWorld, injected: readonly string[] = []): Promise<void> {
  const { world } = lambda
  await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
  await world.clock.run(100_000)
  await world.sweep()
  checkFailures(lambda, injected)
  await checkNothingLeft(world)
  checkOneWriter(lambda)
  checkNothingRunsOn(lambda)
}

/** The store as an invocation has it while `fails` says so. */
function failingStore(world: SimWorld, fails: (name: string) => boolean): FleetStore {
  return new Proxy(world.store, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        if (fails(String(property))) throw new SlipwayError('store-unavailable', 'It is throttled.')
        return Reflect.apply(value, target, args)
      }
    },
  })
}

describe('a function that fails', () => {
  it('L3: thrown out of any of its calls to the store and started again 1 and 2 minutes later, all jobs run once', async () => {
    for (let call = 1; call <= 40; call += 3) {
      const lambda = await hub(call)
      const { world } = lambda
      let calls = 0
      const store = failingStore(world, () => (calls += 1) === call)
      world.source.enqueue(2, ['small'], 2_000)
      const first = lambda.invoke({ over: { store } })
      await world.clock.run(TICK_MS)
      for (let repeat = 0; repeat < 2; repeat += 1) {
        lambda.invoke({ dueAt: world.clock.now() - TICK_MS })
        await world.clock.run(TICK_MS)
        checkSafety(world)
      }
      expect(first.end, `call ${call}`).not.toBe('running')
      lambda.startSchedule()
      await finish(lambda, ['store-unavailable']).catch((cause: unknown) => {
        throw new Error(`failed at call ${call}`, { cause })
      })
    }
  })

  it('L11: a table that takes a tenth of what is asked of it for ten minutes: no storm, and all is well soon after', async () => {
    const lambda = await hub()
    const { world } = lambda
    const random = new SimRandom(11)
    let throttled = true
    let calls = 0
    const store = failingStore(world, () => {
      calls += 1
      return throttled && random.unit() < 0.9
    })
    lambda.over = { ...lambda.over, store }
    lambda.startSchedule()
    world.source.enqueue(20, ['small'], 2_000)
    await world.clock.run(10 * TICK_MS)
    // What a tick cannot do, it leaves to the next one.
    expect(calls).toBeLessThan(10 * 20)
    throttled = false
    await world.clock.runUntil(() => world.source.openJobs === 0, 4 * TICK_MS)
    await finish(lambda, ['store-unavailable'])
  })

  it('L7: a source that never answers holds no invocation beyond its time, nor the lease', async () => {
    const lambda = await hub()
    const { world } = lambda
    await world.clock.run(1_000)
    const silent = world.sources.map((source) => ({
      id: source.id,
      authenticate: () => source.authenticate(),
      poll: async (_: unknown, signal: AbortSignal) => untilAborted(signal),
      mint: async (_: unknown, signal: AbortSignal) => untilAborted(signal),
      report: async (_: unknown, signal: AbortSignal) => untilAborted(signal),
      reconcile: async (_: unknown, signal: AbortSignal) => untilAborted(signal),
    }))
    const stuck = lambda.invoke({ over: { openSources: () => silent } })
    await world.clock.run(TIMEOUT_MS - 5_000)
    expect(stuck.end).toBe('returned')
    expect(await lambda.holder()).toBeUndefined()
    checkNothingRunsOn(lambda)
  })

  it('L7: a renewal that gets no answer is sent again while there is time, and the lease is kept', async () => {
    const lambda = await hub()
    const { world } = lambda
    let renewals = 0
    const renewLease: FleetStore['renewLease'] = async (request) => {
      renewals += 1
      if (renewals % 2 === 0) return world.store.renewLease(request)
      await world.clock.sleep(11_000)
      throw new SlipwayError('store-unavailable', 'No answer.')
    }
    const store = new Proxy(world.store, {
      get: (target, name) => (name === 'renewLease' ? renewLease : Reflect.get(target, name, target)),
    })
    lambda.invoke({ over: { store } })
    await world.clock.run(10 * TICK_MS)
    expect(renewals).toBeGreaterThan(50)
    expect(world.count('lease.lost')).toBe(0)
    expect(await lambda.holder()).toBeDefined()
  })

  it('L8: returns with nothing left running, however it ends', async () => {
    const lambda = await hub()
    const { world } = lambda
    lambda.startSchedule()
    world.source.enqueue(10, ['small'], 400_000)
    await world.clock.run(HOUR_MS)
    expect(lambda.invocations.filter(({ end }) => end === 'returned').length).toBeGreaterThan(50)
    checkNothingRunsOn(lambda)
  })
})

async function untilAborted(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true })
  })
  const { SourceError } = await import('../../core/ports/index.ts')
  throw new SourceError('unknown-outcome', 'It was given up.')
}

describe('a schedule that fails', () => {
  it('L12: without ticks agents keep their jobs, nothing says that the loop is alive, and the next tick takes all up', async () => {
    const lambda = await hub()
    const { world } = lambda
    lambda.startSchedule()
    world.source.enqueue(5, ['small'], 20 * 60_000)
    await world.clock.runUntil(() => world.source.registered.size === 5, TICK_MS)
    lambda.stopSchedule()
    ;(await lambda.holder())!.kill()
    await world.clock.run(TICK_MS)
    const alive = world.count('loop.alive')
    await world.clock.run(25 * TICK_MS)
    expect(world.count('loop.alive')).toBe(alive)
    expect(world.source.openJobs).toBe(0)
    lambda.startSchedule()
    await world.clock.run(TICK_MS)
    expect([...world.source.reports.values()].map(({ state }) => state)).toEqual(Array(5).fill('stopped'))
    await finish(lambda)
  })

  it('L12: while it works, every minute has a sign of life: also in the quiet', async () => {
    const lambda = new LambdaWorld(1, { mode: 'economy' })
    await lambda.storeTemplates()
    await lambda.addHost('one')
    lambda.startSchedule()
    for (let minute = 0; minute < 40; minute += 1) {
      const before = lambda.world.count('loop.alive')
      await lambda.world.clock.run(TICK_MS + 1_000)
      expect(lambda.world.count('loop.alive'), `minute ${minute}`).toBeGreaterThan(before)
    }
  })
})

describe('a container that is used again', () => {
  it('L9: an instance that slept for hours believes nothing that it knew: templates, lease and fleet are read anew', async () => {
    const lambda = await hub()
    const { world } = lambda
    const invocation = lambda.invoke()
    await world.clock.run(TIMEOUT_MS)
    expect(invocation.end).toBe('returned')
    const handler = controlLoopHandler(lambda.partsOf('1'))
    const { templates } = world
    for (let hour = 1; hour <= 4; hour += 1) {
      await world.clock.run(HOUR_MS)
      const labels = [`hour-${hour}`]
      const facts = { version: hour + 1, storedAt: world.clock.now(), storedBy: 'test', text: '' }
      await world.store.putTemplateVersion(
        { ...facts, templates: templates.map((one) => ({ ...one, labels })) },
        hour,
      )
      world.source.enqueue(2, labels, 5_000)
      const startedAtMs = world.clock.monotonicMs()
      void handler(
        { time: new Date(world.clock.now()).toISOString() },
        {
          awsRequestId: `warm-${hour}`,
          getRemainingTimeInMillis: () => TIMEOUT_MS - (world.clock.monotonicMs() - startedAtMs),
        },
      )
      await world.clock.runUntil(() => world.source.openJobs === 0, 60_000)
      await world.clock.run(TIMEOUT_MS)
    }
    checkOneWriter(lambda)
    checkSafety(world)
  })
})
