import { describe, expect, it } from 'vitest'
import { sweep } from '../../core/flows/index.ts'
import type { Clock, DemandSource } from '../../core/ports/index.ts'
import { finish, LIMIT_MS, stage, untouchedRun } from './world/crash-stage.ts'
import { checkSafety } from './invariants/invariants.ts'
import { Life } from './world/mortal.ts'
import type { SimWorld } from './world/sim-world.ts'

/** More than a lease lives, less than a host may be silent: a planner that far off takes a lease that is in force. */
const OFF_MS = 45_000
const JUMP_EVERY_MS = 7_000
const HOUR_MS = 3_600_000

/** A wall clock that is off; the monotonic one never is, for it is nobody's but the process's own. */
function offClock(clock: Clock, offMs: () => number): Clock {
  return {
    now: () => clock.now() + offMs(),
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  }
}

/** As an adapter gives them: the end of a reservation by the clock of the hub that asked for it. */
function byClock(source: DemandSource, offMs: () => number): DemandSource {
  return {
    id: source.id,
    authenticate: (signal) => source.authenticate(signal),
    poll: async (request, signal) => {
      const answer = await source.poll(request, signal)
      const reservations = answer.reservations.map((one) => ({ ...one, expiresAt: one.expiresAt + offMs() }))
      return { ...answer, reservations }
    },
    mint: (request, signal) => source.mint(request, signal),
    report: (reports, signal) => source.report(reports, signal),
    reconcile: (observed, signal) => source.reconcile(observed, signal),
  }
}

type Skew = readonly [name: string, offMs: (world: SimWorld) => number]

const SKEWS: readonly Skew[] = [
  ['ahead', () => OFF_MS],
  ['behind', () => -OFF_MS],
  ['jumping', ({ clock }) => (Math.floor(clock.monotonicMs() / JUMP_EVERY_MS) % 2 === 0 ? OFF_MS : -OFF_MS)],
]

const total = (await untouchedRun()).life.calls

describe('inv. 13: clocks that are off', () => {
  for (const [name, offOf] of SKEWS) {
    it(`R5, L2: a second planner, its clock ${name}, begins at any call of one that lives: both do no harm`, async () => {
      for (let call = 1; call <= total; call += 2) {
        const { world, hosts, start, queue } = await stage()
        const offMs = (): number => offOf(world)
        const first = new Life(call)
        start('a', first)
        for (const host of hosts) host.connect()
        await world.clock.run(1_000)
        queue()
        await world.clock.runUntil(() => first.stopped, LIMIT_MS)
        first.resume()
        start('b', new Life(), {
          clock: offClock(world.clock, offMs),
          sources: world.sources.map((source) => byClock(source, offMs)),
        })
        await finish(world).catch((cause: unknown) => {
          throw new Error(`beside call ${call}`, { cause })
        })
      }
    })
  }

  it('E3: a sweep an hour ahead declares lost a host that was away for a moment: its containers run on and keep their slots', async () => {
    const { world, hosts, start } = await stage()
    const [one, two] = hosts
    start('a', new Life())
    one.connect()
    await world.clock.run(1_000)
    world.source.enqueue(2, ['small'], 120_000)
    await world.clock.runUntil(() => one.started.length === 2, LIMIT_MS)
    await world.disconnect(one, { told: true })
    await sweep({ ...world.session(), clock: offClock(world.clock, () => HOUR_MS) })
    expect((await world.store.getHost(one.host))?.state).toBe('dead')
    one.connect()
    two.connect()
    world.source.enqueue(4, ['small'], 60_000)
    await finish(world)
  })

  it('a planner an hour ahead claims, launches and ends nothing that it must not', async () => {
    const { world, hosts, start, queue } = await stage()
    for (const host of hosts) host.connect()
    start('a', new Life())
    await world.clock.run(1_000)
    queue()
    await world.clock.run(300)
    const ahead = (): number => HOUR_MS
    const sources = world.sources.map((source) => byClock(source, ahead))
    start('b', new Life(), { clock: offClock(world.clock, ahead), sources })
    await world.clock.run(LIMIT_MS)
    checkSafety(world)
  })
})
