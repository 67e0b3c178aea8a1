import { expect, it } from 'vitest'
import type { FleetStore } from '../../core/ports/index.ts'
import { SimWorld } from './world/sim-world.ts'

const JOBS = 20
/** One item each; what the lease, heartbeats and sessions cost does not grow with launches. */
const PER_LAUNCH = [
  'claimSlots',
  'putRunner',
  'dispatchRunner',
  'startRunner',
  'endRunner',
  'freeSlot',
] as const

function counting(store: FleetStore, counts: Map<string, number>): FleetStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        counts.set(String(name), (counts.get(String(name)) ?? 0) + 1)
        return Reflect.apply(value, target, args)
      }
    },
  })
}

it('a launch costs four writes until it runs, two at its end, and one message per host and batch', async () => {
  const counts = new Map<string, number>()
  const world = new SimWorld(1, ['sim'], (store) => counting(store, counts))
  const agent = await world.addHost('one', { runners: 50 })
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(3_000)
  let launches = 0
  agent.hears = (message) => {
    if (message.type === 'launch') launches += 1
    return true
  }
  counts.clear()
  world.source.enqueue(JOBS, ['small'], 2_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 60_000)
  await world.clock.run(5_000)
  const spent = Object.fromEntries(PER_LAUNCH.map((name) => [name, counts.get(name) ?? 0]))
  expect(spent).toEqual({
    claimSlots: 1,
    putRunner: JOBS,
    dispatchRunner: JOBS,
    startRunner: JOBS,
    endRunner: JOBS,
    freeSlot: JOBS,
  })
  expect(launches).toBe(world.source.mintCalls)
  expect(world.source.mintCalls).toBe(JOBS / 5)
})
