import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { connectionId, epoch, fence, hostId, type ImageState, templateKey } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import {
  CANCEL,
  EXITED,
  facts,
  NEVER,
  type Open,
  onlineHost,
  reserved,
  rid,
  SECOND,
  SLOT,
  T0,
  tombstone,
} from './store-fixtures.ts'
import { inOrder } from './store-reading.ts'
import { useBenches } from '../adapters/dynamodb/bench.ts'
import { openTemporarySqlite } from '../support/sqlite-store.ts'

const openDynamo = useBenches()
const STORES: readonly (readonly [name: string, open: Open])[] = [
  ['DynamoDB', async () => ({ ...(await openDynamo()), close: async () => {} })],
  ['SQLite', openTemporarySqlite],
]
/** For a property over some thousand calls, on a machine that does other things too. */
const SLOW_MS = 120_000

/** One call with all its arguments; few enough hosts, runners and numbers that they meet. */
interface Command {
  readonly name: string
  readonly run: (store: FleetStore, now: number) => Promise<unknown>
}

const host = fc.constantFrom('h1', 'h1', 'h1', 'h2').map(hostId)
const runner = fc.nat(2).map(rid)
const holder = fc.constantFrom('ann', 'bob')
const lowFence = fc.integer({ min: 1, max: 4 }).map(fence)
/** Sessions that a host added at `T0` will have, and one before. */
const session = fc.integer({ min: 0, max: 3 }).map((n) => epoch(T0 / SECOND + n))
const connection = fc.constantFrom('c1', 'c2', 'connection-h1').map(connectionId)
const template = fc.constantFrom('linux', 'gpu').map(templateKey)
const slot = fc.record({
  template,
  cpuMillis: fc.constantFrom(500, 1_000),
  memoryMib: fc.constant(SLOT.memoryMib),
})
const notes = fc.nat(3).map((calls) => ({
  mintWindows: { s: { startedAt: T0, calls } },
  reportedUpTo: {},
  lastWorkAt: T0,
  workLeft: true,
}))
const ending = fc.constantFrom(EXITED, NEVER)
const image = fc.constantFrom<ImageState>(
  { state: 'present' },
  { state: 'pulling' },
  { state: 'failed', reason: 'gone', retryAt: T0 },
)

const claims = fc.uniqueArray(fc.record({ runner, slot }), {
  minLength: 1,
  maxLength: 3,
  selector: (one) => one.runner,
})

/** One arbitrary per method: `given` are its arguments, beside the time. */
function command<T>(
  name: keyof FleetStore,
  given: fc.Arbitrary<T>,
  run: (store: FleetStore, given: T, now: number) => Promise<unknown>,
): fc.Arbitrary<Command> {
  return given.map((one) => ({
    name: `${name} ${JSON.stringify(one)}`,
    run: (store, now) => run(store, one, now),
  }))
}

const puts = command(
  'putRunner',
  fc.record({ host, n: fc.nat(2), gone: fc.constantFrom(false, false, false, true) }),
  (store, given, now) =>
    store.putRunner(
      given.gone ? tombstone(given.n, { host: given.host }) : reserved(given.n, { host: given.host }),
      now,
    ),
)

const removals = fc.oneof(
  command('removeHost', host, (store, id) => store.removeHost(id)),
  command('removeExpired', fc.nat(20), (store, seconds) =>
    store.removeExpired({ before: T0 + seconds * SECOND, limit: 1_000 }),
  ),
)

const calls: readonly fc.Arbitrary<Command>[] = [
  command('takeLease', fc.record({ holder, build: fc.constantFrom('b1', 'b2') }), (store, given, now) =>
    store.takeLease({ ...given, now, ttlMs: 30 * SECOND, handOverAt: null }),
  ),
  command('renewLease', fc.record({ holder, fence: lowFence, notes }), (store, given, now) =>
    store.renewLease({ ...given, now, ttlMs: 30 * SECOND }),
  ),
  command('releaseLease', fc.record({ holder, fence: lowFence, notes }), (store, given, now) =>
    store.releaseLease({ ...given, now }),
  ),
  command('requestYield', fc.record({ holder, build: fc.constantFrom('b1', 'b2') }), (store, given) =>
    store.requestYield(given),
  ),
  command('addHost', fc.record({ id: host, tokenHash: fc.constantFrom('x', 'y') }), (store, given) =>
    store.addHost({ ...given, tags: ['t'], now: T0 }),
  ),
  command('replaceToken', fc.record({ host, tokenHash: fc.constantFrom('x', 'y') }), (store, given, now) =>
    store.replaceToken({ ...given, now }),
  ),
  command('raiseFence', fc.tuple(host, lowFence), (store, [id, to]) => store.raiseFence(id, to)),
  command(
    'claimSlots',
    fc.record({ host, stale: fc.constantFrom(0, 0, 0, 1), claims }),
    async (store, { host: id, stale, claims: asked }, now) => {
      const found = await store.getHost(id)
      const under = { fence: fence((found?.fence ?? 0) + stale), epoch: epoch(found?.epoch ?? 0) }
      return store.claimSlots({ host: id, ...under, claims: asked, now })
    },
  ),
  command('claimSlots', fc.record({ host, fence: lowFence, epoch: session, claims }), (store, given, now) =>
    store.claimSlots({ ...given, now }),
  ),
  command('openHost', host, async (store, id) => {
    const found = await store.getHost(id)
    return store.openHost({ host: id, epoch: epoch(found?.epoch ?? 0), now: T0 })
  }),
  command('forgetRunner', fc.record({ host, id: runner }), (store, given) => store.forgetRunner(given)),
  command('adoptSlot', fc.record({ host, runner, slot }), (store, given, now) =>
    store.adoptSlot({ ...given, now }),
  ),
  command(
    'freeSlot',
    fc.record({ host, runner, only: fc.constantFrom(undefined, 'dead' as const, 'online' as const) }),
    (store, { only, ...given }, now) => store.freeSlot({ ...given, ...(only && { only }), now }),
  ),
  command(
    'setBackoff',
    fc.record({
      host,
      template,
      backoff: fc.option(fc.record({ failures: fc.nat(3), until: fc.constant(T0) })),
    }),
    (store, given, now) => store.setBackoff({ ...given, now }),
  ),
  command(
    'beginSession',
    fc.record({ host, connection, runners: fc.integer({ min: 1, max: 4 }) }),
    (store, { runners, ...given }, now) => {
      const capacity = { runners, cpuMillis: 3_000, memoryMib: 4_096 }
      return store.beginSession({ ...given, facts: facts({ capacity }), now })
    },
  ),
  command('openHost', fc.record({ host, epoch: session }), (store, given, now) =>
    store.openHost({ ...given, now }),
  ),
  command('endSession', fc.record({ host, connection }), (store, given, now) =>
    store.endSession({ ...given, now }),
  ),
  command(
    'setAccepting',
    fc.record({ host, epoch: session, accepting: fc.boolean(), reason: fc.option(fc.constant('full')) }),
    (store, given, now) => store.setAccepting({ ...given, now }),
  ),
  command('declareDead', fc.record({ host, back: fc.nat(1) }), async (store, given, now) => {
    const found = await store.getHost(given.host)
    return store.declareDead({ host: given.host, revision: (found?.revision ?? 0) - given.back, now })
  }),
  command(
    'putLiveness',
    fc.record({ host, epoch: session, lastSeenAt: fc.nat(5).map((n) => T0 + n), expectedBy: fc.nat(9) }),
    (store, given) => store.putLiveness({ ...given, startsPerMinute: null }),
  ),
  command('mergeImages', fc.record({ host, image, of: fc.constantFrom('x:1', 'y:2') }), (store, given, now) =>
    store.mergeImages({ host: given.host, images: new Map([[given.of, given.image]]), now }),
  ),
  command('dispatchRunner', fc.record({ host, id: runner, epoch: session }), (store, given, now) =>
    store.dispatchRunner({ ...given, now }),
  ),
  command('startRunner', fc.record({ host, id: runner }), (store, given, now) =>
    store.startRunner({ ...given, startedAt: now, now }),
  ),
  command(
    'endRunner',
    fc.record(
      {
        host,
        id: runner,
        ending,
        only: fc.subarray(['reserved', 'dispatched', 'running'] as const, { minLength: 1 }),
        startedAt: fc.constant(T0),
      },
      { requiredKeys: ['host', 'id', 'ending'] },
    ),
    (store, given, now) => store.endRunner({ ...given, now }),
  ),
  command('confirmRunner', fc.record({ host, id: runner, epoch: session }), (store, given, now) =>
    store.confirmRunner({ ...given, now }),
  ),
  command('orderStop', fc.record({ host, id: runner }), (store, given, now) =>
    store.orderStop({ ...given, stop: CANCEL, now }),
  ),
  command('listLiveRunners', host, async (store, id) => {
    const live = (await store.listLiveRunners(id)).runners
    return live.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  }),
  command('readChanges', fc.nat(40), async (store, seconds) => {
    const { cursor, ...fleet } = await store.readChanges(T0 + seconds * SECOND)
    return { cursor, ...inOrder(fleet) }
  }),
]

/** Removals are rare, and puts frequent, so that there is something for the others to meet. */
const commands = fc.oneof(
  ...calls.map((arbitrary) => ({ arbitrary, weight: 4 })),
  { arbitrary: removals, weight: 1 },
  { arbitrary: puts, weight: 24 },
)

it.each(STORES)(
  'the %s store answers every call as the memory store does, and holds the same fleet',
  {
    timeout: SLOW_MS,
  },
  async (_, open) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(commands, fc.constantFrom(0, 0, 1, 7)), { minLength: 20, maxLength: 60 }),
        async (steps) => {
          const memory = createMemoryStore()
          const { store, close } = await open()
          for (const one of [store, memory]) await onlineHost(one)
          let now = T0
          for (const [{ name, run }, seconds] of steps) {
            now += seconds * SECOND
            expect({ name, answer: await run(store, now) }).toEqual({ name, answer: await run(memory, now) })
          }
          expect(inOrder(await store.readFleet())).toEqual(inOrder(await memory.readFleet()))
          expect(await store.readLease()).toEqual(await memory.readLease())
          await close()
        },
      ),
      { numRuns: 40 },
    )
  },
)
