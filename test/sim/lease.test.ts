import { describe, expect, it } from 'vitest'
import { checkNothingLeft, checkSafety } from './invariants/invariants.ts'
import type { Invocation } from './world/invocation.ts'
import {
  checkFailures,
  checkNothingRunsOn,
  checkOneWriter,
  LambdaWorld,
  pausesOf,
  TICK_MS,
} from './world/lambda-world.ts'
import { SimRandom } from './world/sim-clock.ts'

const HAND_OVER_MAX_MS = 5_000
const AFTER_KILL_MAX_MS = 90_000
const HOUR_MS = 3_600_000
const LIMIT_MS = 20 * 60_000

async function hub(seed = 1, over: ConstructorParameters<typeof LambdaWorld>[1] = {}): Promise<LambdaWorld> {
  const lambda = new LambdaWorld(seed, over)
  await lambda.storeTemplates()
  return lambda
}

/** Work now and then, so that the loop has a reason to stay. */
function keepBusy({ world }: LambdaWorld, everyMs = 20_000): { stop: () => void } {
  const over = new AbortController()
  const feed = async (): Promise<void> => {
    while (!over.signal.aborted) {
      world.source.enqueue(1, ['small'], 4_000)
      await world.clock.sleep(everyMs)
    }
  }
  void feed()
  return { stop: () => over.abort() }
}

async function finish(lambda: LambdaWorld): Promise<void> {
  const { world } = lambda
  await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
  await world.clock.run(100_000)
  await world.sweep()
  checkFailures(lambda, [])
  await checkNothingLeft(world)
  checkOneWriter(lambda)
  checkNothingRunsOn(lambda)
}

describe('one planner after another, on functions that live 15 minutes', () => {
  it('L2: hands over within 5 s, repeatedly, and no invocation outlives its time', async () => {
    const lambda = await hub()
    await lambda.addHost('one')
    lambda.startSchedule()
    const work = keepBusy(lambda)
    await lambda.world.clock.run(HOUR_MS)
    work.stop()
    const pauses = pausesOf(lambda)
    expect(pauses.length).toBeGreaterThanOrEqual(4)
    expect(pauses.filter(({ ms }) => ms > HAND_OVER_MAX_MS)).toEqual([])
    for (const { end, failure } of lambda.invocations) expect([end, failure]).not.toContain('threw')
    await finish(lambda)
    expect(lambda.world.count('lease.lost')).toBe(0)
  })

  it('a job that is reserved at the hand-over is launched by the successor at once', async () => {
    const lambda = await hub()
    const agent = await lambda.addHost('one')
    const first = lambda.invoke()
    await lambda.world.clock.run(13 * 60_000)
    lambda.startSchedule()
    await lambda.world.clock.run(14 * 60_000 - lambda.world.clock.monotonicMs() - 1_200)
    lambda.world.source.enqueue(8, ['small'], 2_000)
    await lambda.untilAskedBy(first, 30_000)
    await lambda.world.clock.runUntil(() => agent.started.length === 8, 10_000)
    await finish(lambda)
  })

  for (const when of ['before', 'after'] as const) {
    it(`L2, inv. 5, 10: paused ${when} any of its calls until its successor works, it does nothing that was not on its way`, async () => {
      const whole = await serveBeside(null)
      for (let call = 1; call <= whole.calls; call += 1) {
        const paused = await serveBeside({ call, when }).catch((cause: unknown) => {
          throw new Error(`paused ${when} call ${call}`, { cause })
        })
        expect(paused.end).not.toBe('running')
      }
    })
  }

  it('L2, inv. 14: one that was paused beyond its lease notes no end as told that it has not seen', async () => {
    const lambda = await hub()
    const { world } = lambda
    const agent = await lambda.addHost('one')
    const paused = lambda.invoke()
    world.source.enqueue(1, ['small'], 4_000)
    await world.clock.runUntil(() => agent.started.length === 1, 20_000)
    paused.pause()
    await world.clock.run(70_000)
    expect(world.source.openJobs).toBe(0)
    paused.resume()
    await world.clock.runUntil(() => paused.end === 'returned', 20_000)
    await world.clock.run(60_000)
    lambda.startSchedule()
    await world.clock.run(TICK_MS)
    expect([...world.source.reports.values()].map(({ state }) => state)).toEqual(['stopped'])
    await finish(lambda)
  })

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`L4: after a kill somebody polls again within 90 s, whenever it comes (seed ${seed})`, async () => {
      const random = new SimRandom(seed)
      const lambda = await hub(seed)
      await lambda.addHost('one')
      lambda.startSchedule()
      const work = keepBusy(lambda)
      await lambda.world.clock.run(120_000)
      for (let round = 0; round < 8; round += 1) {
        await lambda.world.clock.run(random.unit() * 180_000)
        const holder = await lambda.holder()
        if (holder === undefined) continue
        const killedAtMs = lambda.world.clock.monotonicMs()
        holder.kill()
        await lambda.untilAskedBy(holder, 4 * AFTER_KILL_MAX_MS)
        const pauseMs = lambda.world.clock.monotonicMs() - killedAtMs
        expect(pauseMs, `round ${round}`).toBeLessThanOrEqual(AFTER_KILL_MAX_MS)
      }
      work.stop()
      await finish(lambda)
    })

    it(`L1, L2, L5, L10, L13: late, repeated, dropped and overlapping ticks, kills and pauses: one planner (seed ${seed})`, async () => {
      const random = new SimRandom(seed * 1_000)
      const lambda = await hub(seed)
      lambda.fate = () => deliveriesOf(random)
      await lambda.addHost('one')
      await lambda.addHost('two')
      lambda.startSchedule()
      const work = keepBusy(lambda, 10_000)
      for (let round = 0; round < 25; round += 1) {
        await lambda.world.clock.run(random.unit() * 150_000)
        const holder = await lambda.holder()
        const dice = random.unit()
        if (holder !== undefined && dice < 0.3) holder.kill()
        else if (holder !== undefined && dice < 0.6) {
          holder.pause()
          await lambda.world.clock.run(15_000 + random.unit() * 60_000)
          holder.resume()
        }
        checkSafety(lambda.world)
      }
      work.stop()
      lambda.fate = () => [0]
      await finish(lambda)
    })
  }
})

/** One invocation serves two bursts; when it is paused, the next tick takes over before it wakes. Resolves with the first. */
async function serveBeside(pauseAt: Invocation['pauseAt']): Promise<Invocation> {
  const lambda = await hub(1, { mode: 'economy' })
  const { world } = lambda
  await lambda.addHost('one')
  const first = lambda.invoke()
  first.pauseAt = pauseAt
  for (let burst = 0; burst < 2; burst += 1) {
    world.source.enqueue(2, ['small'], 2_000)
    await world.clock.run(2_500)
  }
  const { calls } = first
  await world.clock.run(25_000)
  lambda.startSchedule()
  const isServed = (): boolean => lambda.effects.some(({ what, by }) => what === 'ask' && by !== first.id)
  if (first.pauses.length > 0) await world.clock.runUntil(isServed, 2 * TICK_MS)
  first.resume()
  await finish(lambda)
  first.calls = calls
  return first
}

/** 0 to 3 deliveries of one tick: most at once, some minutes late, a few hours late. */
function deliveriesOf(random: SimRandom): readonly number[] {
  return Array.from({ length: Math.floor(random.unit() * 4) }, () => {
    const dice = random.unit()
    if (dice < 0.6) return random.unit() * 2_000
    return dice < 0.95 ? random.unit() * 5 * TICK_MS : random.unit() * 6 * HOUR_MS
  })
}

describe('a newer build', () => {
  it('takes over within two ticks, by asking, and the old one is never seen again', async () => {
    const lambda = await hub()
    await lambda.addHost('one')
    lambda.startSchedule()
    const work = keepBusy(lambda)
    await lambda.world.clock.run(5 * 60_000)
    const old = (await lambda.holder())!
    lambda.build = '2'
    const next = await lambda.untilAskedBy(old, 2 * TICK_MS)
    expect(next.id).toMatch(/-b2$/)
    expect(pausesOf(lambda).at(-1)!.ms).toBeLessThanOrEqual(HAND_OVER_MAX_MS)
    await lambda.world.clock.run(10_000)
    expect(old.end).toBe('returned')
    work.stop()
    await finish(lambda)
  })

  it('L10, L13: late ticks of the old build ask nobody to go: no ping-pong', async () => {
    const lambda = await hub()
    await lambda.addHost('one')
    lambda.startSchedule()
    const work = keepBusy(lambda)
    await lambda.world.clock.run(5 * 60_000)
    const dueAt = lambda.world.clock.now()
    const old = (await lambda.holder())!
    lambda.build = '2'
    await lambda.untilAskedBy(old, 2 * TICK_MS)
    const takenBefore = lambda.world.count('lease.taken')
    for (let late = 0; late < 5; late += 1) {
      await lambda.world.clock.run(7_000)
      lambda.invoke({ build: '1', dueAt: dueAt + late * 1_000 })
    }
    await lambda.world.clock.run(5 * 60_000)
    expect(lambda.world.count('lease.taken')).toBe(takenBefore)
    work.stop()
    await finish(lambda)
  })

  it('that goes back to an older one is a newer build as well', async () => {
    const lambda = await hub()
    await lambda.addHost('one')
    lambda.startSchedule()
    const work = keepBusy(lambda)
    for (const build of ['1', '2', '1']) {
      lambda.build = build
      await lambda.world.clock.run(4 * 60_000)
      expect((await lambda.holder())?.id).toMatch(new RegExp(`-b${build}$`))
    }
    work.stop()
    await finish(lambda)
  })
})
