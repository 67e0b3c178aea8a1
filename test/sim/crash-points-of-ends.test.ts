import { describe, expect, it } from 'vitest'
import { HOST_DEAD_AFTER_MS, sweep } from '../../core/flows/index.ts'
import { newRunnerId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { finish, LIMIT_MS, type Stage, stage } from './world/crash-stage.ts'
import { checkSafety } from './invariants/invariants.ts'
import { Life, Lives } from './world/mortal.ts'
import type { SimAgent } from './world/sim-agent.ts'
import type { SimWorld } from './world/sim-world.ts'

const MINUTE_MS = 60_000
/** As the real agent's. */
const ACK_WITHIN_MS = 15_000
const KILLS = ['before', 'after'] as const

/** Jobs run and end while one host comes back in the middle, and the other comes back without what it had. */
async function runThroughSessions(staged: Stage, lives: Lives, againAfterMs: number | null): Promise<void> {
  const { world, hosts, start, queue } = staged
  const [one, two] = hosts
  world.handlers = lives
  world.againAfterMs = againAfterMs
  for (const host of hosts) host.ackWithinMs = ACK_WITHIN_MS
  start('a', new Life())
  for (const host of hosts) host.connect()
  await world.clock.run(1_000)
  queue()
  await world.clock.run(1_200)
  await world.disconnect(one, { told: true })
  await world.clock.run(2_000)
  one.connect()
  await world.clock.run(2_000)
  world.source.enqueue(2, ['long'], 4_000)
  await world.clock.run(1_500)
  two.lose()
  two.connect()
  await finish(world)
}

async function callsOfSessions(): Promise<number> {
  const staged = await stage()
  const lives = new Lives()
  await runThroughSessions(staged, lives, null)
  expect(staged.world.count('runner.absent'), 'the run has absent runners').toBeGreaterThan(0)
  return lives.calls
}

const ofSessions = await callsOfSessions()

describe(`a message whose handler stops at any of the ${ofSessions} calls of a run: inv. 1–12, 14–17 hold, and nothing stays`, () => {
  for (const when of KILLS) {
    for (const againAfterMs of [null, 1_000]) {
      const whom = againAfterMs === null ? 'its agent says it again' : 'it is handed over again, late'
      it(`L4, W8: killed ${when} any call took effect, ${whom}`, async () => {
        for (let call = 1; call <= ofSessions; call += 1) {
          const lives = new Lives(call, when)
          await runThroughSessions(await stage(), lives, againAfterMs).catch((thrown: unknown) => {
            throw new Error(`killed ${when} call ${call}`, { cause: thrown })
          })
          expect(lives.stopped, `call ${call} was made`).toBeDefined()
        }
      })
    }
  }
})

describe('a message whose handler is slow', () => {
  for (const pauseMs of [1_000, 25_000]) {
    it(`W7, W11: paused for ${pauseMs / 1_000} s at any call, while later messages are handled: inv. 1–12, 14–17 hold`, async () => {
      for (let call = 1; call <= ofSessions; call += 1) {
        const staged = await stage()
        const lives = new Lives(call)
        void wakeAfter(staged.world, lives, pauseMs)
        await runThroughSessions(staged, lives, null).catch((thrown: unknown) => {
          throw new Error(`paused at call ${call}`, { cause: thrown })
        })
        expect(lives.stopped, `call ${call} was made`).toBeDefined()
      }
    })
  }
})

async function wakeAfter({ clock }: SimWorld, lives: Lives, pauseMs: number): Promise<void> {
  while (lives.stopped === undefined) await clock.sleep(100)
  await clock.sleep(pauseMs)
  lives.stopped.resume()
}

/**
 * A host falls silent, is declared lost with all that it holds, and comes back with its containers; another one is removed
 * with what it holds. No planner works meanwhile: what it would repair is left to the sweep.
 */
async function runThroughSweeps(staged: Stage, lives: Lives): Promise<void> {
  const { world, hosts, start } = staged
  const [one, two] = hosts
  const { clock, source, store } = world
  const first = start('a', new Life())
  for (const host of hosts) host.connect()
  await clock.run(1_000)
  source.enqueue(2, ['small'], 40 * MINUTE_MS)
  source.enqueue(2, ['long'], MINUTE_MS)
  await clock.runUntil(() => source.registered.size === 4, LIMIT_MS)
  first.stop()
  await leaveOrphan(world, one)
  await world.disconnect(one, { told: false })
  await world.disconnect(two, { told: true })
  await store.removeHost(two.host)
  await clock.run(4 * MINUTE_MS)
  await world.sweep(lives)
  await world.sweep(lives)
  await clock.run(HOST_DEAD_AFTER_MS + MINUTE_MS)
  for (let minute = 0; minute < 3; minute += 1) {
    await world.sweep(lives)
    checkSafety(world)
    await clock.run(1_000)
  }
  const dead = await store.getHost(one.host)
  expect([dead?.state, dead?.slots.size]).toEqual(['dead', 0])
  start('b', new Life())
  one.connect()
  source.enqueue(2, ['small'], 2_000)
  await finish(world)
}

/** What is left of a planner that stopped between its claim and its runner's item. */
async function leaveOrphan({ store, clock, random, templates }: SimWorld, { host }: SimAgent): Promise<void> {
  const [small] = templates
  const slot = { template: small!.key, ...small!.size }
  const runner = newRunnerId(clock.now(), random.bytes(10))
  await store.adoptSlot({ host, runner, slot, now: clock.now() })
}

async function callsOfSweeps(): Promise<number> {
  const lives = new Lives()
  await runThroughSweeps(await stage(), lives)
  return lives.calls
}

const ofSweeps = await callsOfSweeps()

describe(`a sweep that stops at any of its ${ofSweeps} calls: inv. 1–12, 14–17 hold, and nothing stays`, () => {
  for (const when of KILLS) {
    it(`E2, E3, L4: killed ${when} any call took effect, the next one does the rest`, async () => {
      for (let call = 1; call <= ofSweeps; call += 1) {
        const lives = new Lives(call, when)
        await runThroughSweeps(await stage(), lives).catch((thrown: unknown) => {
          throw new Error(`killed ${when} call ${call}`, { cause: thrown })
        })
        expect(lives.stopped, `call ${call} was made`).toBeDefined()
      }
    })
  }

  it('E3, inv. 3, 8: slow to get any one of its readings, it declares nothing lost that has come back meanwhile', async () => {
    const readings = await runBesideSweep(Infinity)
    expect(readings).toBeGreaterThan(10)
    for (let call = 1; call <= readings; call += 1) {
      await runBesideSweep(call).catch((thrown: unknown) => {
        throw new Error(`slow reading ${call}`, { cause: thrown })
      })
    }
  })
})

/**
 * Two hosts come back after half an hour, just as a sweep that has found them dead waits for its `slow`-th reading.
 * Resolves with how many readings the sweep made.
 */
async function runBesideSweep(slow: number): Promise<number> {
  const { world, hosts, start } = await stage()
  const { clock, source } = world
  const first = start('a', new Life())
  for (const host of hosts) host.connect()
  await clock.run(1_000)
  source.enqueue(2, ['small'], 33 * MINUTE_MS)
  source.enqueue(2, ['long'], MINUTE_MS)
  await clock.runUntil(() => source.registered.size === 4, LIMIT_MS)
  first.stop()
  for (const host of hosts) await world.disconnect(host, { told: true })
  await clock.run(HOST_DEAD_AFTER_MS)
  start('b', new Life())
  await clock.run(MINUTE_MS)
  let readings = 0
  const store = beforeReadings(world.store, async () => {
    readings += 1
    if (readings === slow) await clock.sleep(6_000)
  })
  const swept = sweep({ ...world.session(), store })
  await clock.run(1_000)
  for (const host of hosts) host.connect()
  source.enqueue(3, ['small'], 10_000)
  await finish(world)
  await swept
  return readings
}

function beforeReadings(store: FleetStore, wait: () => Promise<void>): FleetStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function' || !/^(get|read|list)/.test(String(name))) return value
      return async (...args: unknown[]): Promise<unknown> => {
        await wait()
        return Reflect.apply(value, target, args)
      }
    },
  })
}
