import { describe, expect, it } from 'vitest'
import { HOST_DEAD_AFTER_MS, sweep } from '../../core/flows/index.ts'
import type { RunnerId } from '../../core/model/index.ts'
import { type DemandSource, type FleetStore, SourceError } from '../../core/ports/index.ts'
import { checkNothingLeft } from './invariants/invariants.ts'
import { SimWorld } from './world/sim-world.ts'

const LIMIT_MS = 5 * 60_000

/** A process that stops at its first call of one method, that call and every later one held back until it wakes. */
class Sleeper {
  readonly #at: string
  readonly #awake: Promise<void>
  wake: () => void = () => {}
  asleep = false

  constructor(at: string) {
    this.#at = at
    this.#awake = new Promise((resolve) => {
      this.wake = resolve
    })
  }

  limit<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]): Promise<unknown> => {
          this.asleep ||= name === this.#at
          if (this.asleep) await this.#awake
          return Reflect.apply(value, target, args) as unknown
        }
      },
    })
  }
}

async function recordOf(world: SimWorld, runner: RunnerId) {
  const { runners } = await world.store.readFleet()
  const found = runners.find(({ id }) => id === runner)
  return found?.state === 'gone' ? { outcome: found.outcome, code: found.code } : found?.state
}

/** A host that runs two jobs and has been away for long enough to be declared dead. */
async function longAway() {
  const world = new SimWorld()
  const agent = await world.addHost('one', { runners: 2 })
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(2, ['small'], 35 * 60_000)
  await world.clock.runUntil(() => agent.started.length === 2, LIMIT_MS)
  await world.disconnect(agent, { told: true })
  await world.clock.run(HOST_DEAD_AFTER_MS + 1_000)
  return { world, agent }
}

describe('a planner that is late', () => {
  it('L2, inv. 5: awake again, it ends nothing that its successor has launched', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const sleeper = new Sleeper('mint')
    world.startHub({
      holder: 'a',
      store: sleeper.limit(world.store),
      sources: world.sources.map((source) => sleeper.limit(source)),
    })
    agent.connect()
    await world.clock.run(1_000)
    world.source.enqueue(1, ['small'], 5_000)
    await world.clock.runUntil(() => sleeper.asleep, LIMIT_MS)
    world.startHub({ holder: 'b' })
    await world.clock.runUntil(() => agent.containers.size === 1, LIMIT_MS)
    sleeper.wake()
    await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
    await world.clock.run(60_000)
    expect(agent.started).toHaveLength(1)
    expect(await recordOf(world, agent.started[0]!.runner)).toEqual({ outcome: 'finished', code: 'exited' })
    await checkNothingLeft(world)
  })

  it('L2, inv. 8: an end that was on its way when it was paused leaves alone what its successor has launched', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const sleeper = new Sleeper('endRunner')
    world.startHub({ holder: 'a', store: sleeper.limit(world.store) })
    agent.connect()
    await world.clock.run(1_000)
    world.source.fault = (call) =>
      call === 'mint' && !sleeper.asleep ? new SourceError('protocol', 'Not this time.') : null
    world.source.enqueue(1, ['small'], 5_000)
    await world.clock.runUntil(() => sleeper.asleep, LIMIT_MS)
    world.startHub({ holder: 'b' })
    await world.clock.runUntil(() => agent.started.length === 1, LIMIT_MS)
    sleeper.wake()
    await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
    await world.clock.run(60_000)
    await checkNothingLeft(world)
  })

  it('E3, inv. 14: a launch that was dispatched under one session of a host is not sent to the next', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    let reconnected = false
    const store: FleetStore = {
      ...world.store,
      async dispatchRunner(request) {
        const moved = await world.store.dispatchRunner(request)
        if (!reconnected) {
          reconnected = true
          agent.connect()
          // Until the planner has heard of the new session.
          await world.clock.sleep(2_000)
        }
        return moved
      },
    }
    world.startHub({ holder: 'a', store })
    agent.connect()
    await world.clock.run(1_000)
    world.source.enqueue(2, ['small'], 3_000)
    await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
    await world.clock.run(60_000)
    for (const { runner } of agent.started)
      expect(await recordOf(world, runner)).toEqual({ outcome: 'finished', code: 'exited' })
    await checkNothingLeft(world)
  })
})

describe('a host that was declared dead', () => {
  it('E3, inv. 3: comes back with its containers, and keeps their slots for as long as it has them', async () => {
    const { world, agent } = await longAway()
    await world.sweep()
    agent.connect()
    world.source.enqueue(2, ['small'], 1_000)
    // Longer than a planner lets a slot be that looks like nobody's.
    await world.clock.run(90_000)
    expect((await world.store.getHost(agent.host))?.slots.size).toBe(2)
    expect(agent.started).toHaveLength(2)
    await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
    await world.clock.run(60_000)
    await checkNothingLeft(world)
  })
})

describe('a sweep that is late', () => {
  for (const at of ['declareDead', 'freeSlot'])
    it(`E3, inv. 3: awake again in ${at}, it frees no slot of a host that has come back`, async () => {
      const { world, agent } = await longAway()
      const sleeper = new Sleeper(at)
      const swept = sweep({ ...world.session(), store: sleeper.limit(world.store) })
      await world.clock.runUntil(() => sleeper.asleep, LIMIT_MS)
      agent.connect()
      await world.clock.run(30_000)
      sleeper.wake()
      await swept
      expect((await world.store.getHost(agent.host))?.slots.size).toBe(2)
      await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
      await world.clock.run(60_000)
      await checkNothingLeft(world)
    })
})

describe('a source that is unavailable', () => {
  it('inv. 18, 19: what was reserved for it gives its room back when the reservation is over', async () => {
    const world = new SimWorld(1, ['dead', 'alive'])
    const agent = await world.addHost('one', { runners: 2 })
    const [dead, alive] = world.sources
    const sleeper = new Sleeper('mint')
    world.startHub({
      holder: 'a',
      store: sleeper.limit(world.store),
      sources: world.sources.map((source) => sleeper.limit(source)),
    })
    agent.connect()
    await world.clock.run(1_000)
    dead!.enqueue(2, ['small'], 1_000)
    await world.clock.runUntil(() => sleeper.asleep, LIMIT_MS)
    const refusing: DemandSource = {
      id: dead!.id,
      authenticate: async () => {
        throw new SourceError('unauthorized', 'The token was revoked.')
      },
      poll: (request, signal) => dead!.poll(request, signal),
      mint: (request) => dead!.mint(request),
      report: (reports) => dead!.report(reports),
      reconcile: (observed) => dead!.reconcile(observed),
    }
    world.startHub({ holder: 'b', sources: [refusing, alive!] })
    alive!.enqueue(4, ['small'], 1_000)
    await world.clock.runUntil(() => alive!.openJobs === 0, 3 * 60_000)
    await world.clock.run(90_000)
    expect((await world.store.getHost(agent.host))?.slots.size).toBe(0)
  })
})

describe('a drain', () => {
  it('tells how the last runner ended, also to a source that fails just then', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one')
    const hub = world.startHub({ holder: 'a' })
    agent.connect()
    await world.clock.run(1_000)
    world.source.enqueue(1, ['small'], 60_000)
    await world.clock.runUntil(() => agent.started.length === 1, LIMIT_MS)
    hub.drain()
    await world.clock.run(30_000)
    let failures = 0
    world.source.fault = (call) => {
      if (call !== 'report' || world.source.openJobs > 0 || failures >= 3) return null
      failures += 1
      return new SourceError('unavailable', 'A moment, please.')
    }
    await world.clock.runUntil(() => hub.end() !== null, LIMIT_MS)
    expect(failures).toBe(3)
    expect([...world.source.reports.values()].map(({ state }) => state)).toEqual(['stopped'])
  })
})

describe('a stored runner that can not be read', () => {
  it('L14, inv. 8: its slot is kept, and everything else goes on', async () => {
    const world = new SimWorld()
    const agent = await world.addHost('one', { runners: 4 })
    const sleeper = new Sleeper('mint')
    world.startHub({
      holder: 'a',
      store: sleeper.limit(world.store),
      sources: world.sources.map((source) => sleeper.limit(source)),
    })
    agent.connect()
    await world.clock.run(1_000)
    world.source.enqueue(1, ['small'], 1_000)
    await world.clock.runUntil(() => sleeper.asleep, LIMIT_MS)
    const [damaged] = (await world.store.readFleet()).runners
    const store = withDamaged(world.store, damaged!.id)
    const hub = world.startHub({ holder: 'b', store })
    world.source.enqueue(3, ['small'], 1_000)
    await world.clock.runUntil(
      () => world.source.jobs.filter((job) => job.state === 'done').length >= 3,
      LIMIT_MS,
    )
    await world.clock.run(60_000)
    expect(hub.end()).toBeNull()
    expect((await world.store.getHost(agent.host))?.slots.has(damaged!.id)).toBe(true)
  })
})

/** As a store of ours treats an item that another version wrote. */
function withDamaged(store: FleetStore, damaged: RunnerId): FleetStore {
  return {
    ...store,
    async readFleet() {
      const fleet = await store.readFleet()
      const unreadable = fleet.runners
        .filter(({ id }) => id === damaged)
        .map(({ id, host }) => ({ runner: id, host, problem: 'It is damaged.' }))
      return { ...fleet, runners: fleet.runners.filter(({ id }) => id !== damaged), unreadable }
    },
    async readChanges(cursor) {
      const changes = await store.readChanges(cursor)
      return { ...changes, runners: changes.runners.filter(({ id }) => id !== damaged) }
    },
    async getRunner(host, id) {
      if (id === damaged) throw new Error('The item is damaged.')
      return store.getRunner(host, id)
    },
  }
}
