import { describe, expect, it } from 'vitest'
import {
  epoch,
  fence,
  newRunnerId,
  type ReservedRunner,
  type RunnerId,
  sourceId,
} from '../../../core/model/index.ts'
import { checkSafety } from './invariants.ts'
import type { SimAgent } from '../world/sim-agent.ts'
import { SimWorld } from '../world/sim-world.ts'
import { template } from '../../support/template.ts'

const LIMIT_MS = 60_000

interface Busy {
  readonly world: SimWorld
  readonly one: SimAgent
  readonly two: SimAgent
  /** A runner whose container runs on host one. */
  readonly running: RunnerId
}

/** Two hosts, of which one runs a job for long. The planner is gone, so that nothing repairs what a test breaks. */
async function busy(): Promise<Busy> {
  const world = new SimWorld()
  world.templates = [template('small', { maxConcurrency: 2 })]
  const one = await world.addHost('one')
  const hub = world.startHub({ holder: 'a' })
  one.connect()
  await world.clock.run(1_000)
  world.source.enqueue(1, ['small'], 3_600_000)
  await world.clock.runUntil(() => world.source.registered.size === 1, LIMIT_MS)
  const two = await world.addHost('two')
  two.connect()
  await world.clock.run(1_000)
  hub.stop()
  await world.clock.runUntil(() => hub.end() !== null, LIMIT_MS)
  expect(world.checker.breaches).toEqual([])
  return { world, one, two, running: one.started[0]!.runner }
}

function reservedOn({ world, one }: Busy): ReservedRunner {
  const [small] = world.templates
  return {
    state: 'reserved',
    id: newRunnerId(world.clock.now(), world.random.bytes(10)),
    template: small!.key,
    ...small!.size,
    host: one.host,
    source: sourceId('sim'),
    labels: ['small'],
    reservation: null,
    reservedAt: world.clock.now(),
    stop: null,
  }
}

async function begin(stage: Busy): Promise<ReservedRunner> {
  const { world, one } = stage
  const runner = reservedOn(stage)
  const { template: key, cpuMillis, memoryMib } = runner
  const slot = { template: key, cpuMillis, memoryMib }
  await world.store.adoptSlot({ host: one.host, runner: runner.id, slot, now: world.clock.now() })
  await world.store.putRunner(runner, world.clock.now())
  return runner
}

type Breach = readonly [invariant: number, what: string, how: (stage: Busy) => Promise<unknown>]

const STOP = { reason: 'canceled', requestedAt: 0 } as const
const FINISHED = { outcome: 'finished', code: 'exited', reason: 'So it is said.', exitCode: 0 } as const
const VANISHED = {
  outcome: 'lost',
  code: 'container-vanished',
  reason: 'So it is said.',
  exitCode: null,
} as const

const BREACHES: readonly Breach[] = [
  [
    1,
    'a token is used by two containers',
    async ({ one }) => one.started.push({ ...one.started[0]!, runner: 'x' as RunnerId }),
  ],
  [
    2,
    'a runner is started twice',
    async ({ two, running }) => two.started.push({ runner: running, token: 'x' }),
  ],
  [
    3,
    'a slot is freed while its container runs',
    ({ world, one, running }) =>
      world.store.freeSlot({ host: one.host, runner: running, now: world.clock.now() }),
  ],
  [
    4,
    'a stop is ordered that nobody asked for',
    ({ world, one, running }) =>
      world.store.orderStop({ host: one.host, id: running, stop: STOP, now: world.clock.now() }),
  ],
  [
    4,
    'a container is stopped without an order',
    async ({ world, one, running }) => {
      const host = await world.store.getHost(one.host)
      const runners = [{ runner: running, reason: 'canceled' }] as const
      one.receive(one.connection!, {
        type: 'stop',
        command: 'x',
        epoch: host!.epoch,
        fence: host!.fence,
        runners,
      })
    },
  ],
  [
    5,
    'an agent obeys an older fence',
    async ({ world, one }) => {
      const order = { type: 'settle', command: 'x', epoch: epoch(1), fence: fence(1), runners: [] } as const
      world.checker.obeys(one, order)
    },
  ],
  [
    6,
    'a runner goes from reserved to running',
    async (stage) => {
      const { host, id } = await begin(stage)
      await stage.world.store.startRunner({ host, id, startedAt: 0, now: stage.world.clock.now() })
    },
  ],
  [7, 'a runner is begun without a slot', (stage) => stage.world.store.putRunner(reservedOn(stage), 0)],
  [
    7,
    'a token is asked for a runner that was never written down',
    ({ world, ...stage }) =>
      world.source.mint({
        reservation: null,
        runners: [{ id: reservedOn({ world, ...stage }).id, template: world.templates[0]! }],
      }),
  ],
  [
    8,
    'a runner is ended as vanished whose container runs',
    ({ world, one, running }) =>
      world.store.endRunner({ host: one.host, id: running, ending: VANISHED, now: world.clock.now() }),
  ],
  [
    9,
    'a host is asked about the runner of another one',
    async ({ world, two, running }) => {
      const host = await world.store.getHost(two.host)
      const order = { type: 'settle', command: 'x', epoch: host!.epoch, fence: host!.fence } as const
      await world.clock.run(1)
      const posted = world.gateway().post(two.connection!, { ...order, runners: [running] })
      await world.clock.run(1_000)
      await posted
    },
  ],
  [10, 'slots are claimed under an older fence than the last', claimUnderOlderFence],
  [
    12,
    'more runners are begun than their template may have',
    async (stage) => {
      await begin(stage)
      await begin(stage)
    },
  ],
  [
    14,
    'a runner is finished that has no exit',
    ({ world, one, running }) =>
      world.store.endRunner({ host: one.host, id: running, ending: FINISHED, now: world.clock.now() }),
  ],
  [
    15,
    'a token is logged',
    async ({ world, one }) => world.log.emit({ name: 'start.progress', text: one.started[0]!.token }),
  ],
  [
    16,
    'a message of one host changes another',
    ({ world, one, two }) => world.checker.onlyOf(one.host, world.store).getHost(two.host),
  ],
]

/** The fence of a take-over is not raised on one host. */
async function claimUnderOlderFence(stage: Busy): Promise<void> {
  const { world, one, two } = stage
  const { store, clock } = world
  const { template: key, cpuMillis, memoryMib } = reservedOn(stage)
  const slot = { template: key, cpuMillis, memoryMib }
  const lease = await store.takeLease({
    holder: 'b',
    build: '1',
    now: clock.now(),
    ttlMs: 1_000,
    handOverAt: null,
  })
  await store.raiseFence(one.host, lease!.fence)
  for (const { host } of [one, two]) {
    const { fence: under, epoch: session } = (await store.getHost(host))!
    const claims = [{ runner: newRunnerId(clock.now(), world.random.bytes(10)), slot }]
    expect(
      await store.claimSlots({ host, fence: under, epoch: session, claims, now: clock.now() }),
    ).not.toBeNull()
  }
}

describe('the invariant checker of a simulated fleet', () => {
  for (const [invariant, what, how] of BREACHES) {
    it(`inv. ${invariant}: notices that ${what}`, async () => {
      const stage = await busy()
      const done = how(stage)
      await stage.world.clock.run(1_000)
      await done
      expect(() => checkSafety(stage.world)).toThrow(new RegExp(`inv\\. ${invariant}:`))
    })
  }
})
