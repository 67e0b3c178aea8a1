import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  connectionId,
  type Host,
  type HostCapacity,
  type SlotSize,
  unreachable,
} from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import {
  claim,
  claimsOf,
  EXITED,
  facts,
  H1,
  onlineHost,
  reserved,
  rid,
  SECOND,
  SLOT,
  T0,
  tombstone,
  FENCE_1,
  FENCE_2,
} from '../../contract/store-fixtures.ts'
import { type Fault, interfere, useBenches } from './bench.ts'

const open = useBenches()

describe('the budget of calls', () => {
  it('is 4 writes from reservation to running and 2 at the end, and no read', async () => {
    const bench = await open()
    const { store } = bench
    const host = await onlineHost(store)
    const calls = interfere(bench.client, () => 'none')
    await claim(store, host, claimsOf(1))
    await store.putRunner(reserved(1), T0)
    await store.dispatchRunner({ host: H1, id: rid(1), epoch: host.epoch, now: T0 })
    await store.startRunner({ host: H1, id: rid(1), startedAt: T0, now: T0 })
    expect(calls).toEqual(['UpdateItem', 'PutItem', 'UpdateItem', 'UpdateItem'])
    calls.length = 0
    await store.endRunner({ host: H1, id: rid(1), ending: EXITED, now: T0 })
    await store.freeSlot({ host: H1, runner: rid(1), now: T0 })
    expect(calls).toEqual(['UpdateItem', 'UpdateItem'])
  })

  it('is one write for a hundred claims on a host, and one call for a heartbeat or a renewal', async () => {
    const bench = await open()
    const { store } = bench
    const capacity = { runners: 500, cpuMillis: 500_000, memoryMib: 600_000 }
    const host = await onlineHost(store, { facts: { capacity } })
    await store.takeLease({ holder: 'a', build: 'b', now: T0, ttlMs: 1, handOverAt: null })
    const sign = { host: H1, epoch: host.epoch, lastSeenAt: T0, expectedBy: T0 + SECOND, startsPerMinute: 1 }
    await store.putLiveness(sign)
    const calls = interfere(bench.client, () => 'none')
    await claim(store, host, claimsOf(...Array.from({ length: 100 }, (_, n) => n)))
    await store.putLiveness({ ...sign, lastSeenAt: T0 + 1 })
    const notes = { mintWindows: {}, reportedUpTo: {}, lastWorkAt: T0, workLeft: true }
    await store.renewLease({ holder: 'a', fence: FENCE_1, now: T0, ttlMs: 1, notes })
    await store.readChanges(T0 + 60 * SECOND)
    expect(calls).toEqual(['UpdateItem', 'UpdateItem', 'UpdateItem', 'Query'])
  })
})

describe('a call that is paused on its way', () => {
  const steps: readonly ((store: FleetStore, host: Host) => Promise<unknown>)[] = [
    (store, host) => claim(store, host, claimsOf(1)),
    (store) => store.putRunner(reserved(1), T0),
    (store, { epoch }) => store.dispatchRunner({ host: H1, id: rid(1), epoch, now: T0 }),
  ]

  /** What each step answers before the take-over, and after it. */
  const DONE_BEFORE = [{ id: H1 }, null, { moved: true }]
  const REFUSED = [null, { state: 'gone' }, { moved: false }]

  it.each([0, 1, 2])(
    'L2: at request %i of a launch, and wakes after a take-over, revives nothing',
    async (paused) => {
      const bench = await open()
      const other = bench.other()
      const host = await onlineHost(bench.store)
      const gate = Promise.withResolvers<void>()
      const reached = Promise.withResolvers<void>()
      let requests = 0
      interfere(bench.client, async (): Promise<Fault> => {
        requests += 1
        if (requests === paused + 1) {
          reached.resolve()
          await gate.promise
        }
        return 'none'
      })
      const sleeper = (async () => {
        const answers = []
        for (const step of steps) answers.push(await step(bench.store, host))
        return answers
      })()
      await reached.promise

      await other.raiseFence(H1, FENCE_2)
      const found = await other.putRunner(tombstone(1), T0)
      if (found !== null) await other.endRunner({ host: H1, id: rid(1), ending: EXITED, now: T0 })
      await other.freeSlot({ host: H1, runner: rid(1), now: T0 })
      const settled = await other.readFleet()
      gate.resolve()
      const answers = await sleeper
      expect(await other.readFleet()).toEqual(settled)
      expect(settled.hosts[0]!.slots.size).toBe(0)
      expect(settled.runners).toMatchObject([{ state: 'gone' }])
      expect(answers).toMatchObject([...DONE_BEFORE.slice(0, paused), ...REFUSED.slice(paused)])
    },
  )
})

describe('invariant 3: the sums beside the slots', () => {
  type Step =
    | { readonly kind: 'claim'; readonly sizes: readonly SlotSize[] }
    | { readonly kind: 'adopt'; readonly size: SlotSize }
    | { readonly kind: 'free'; readonly at: number }
    | { readonly kind: 'session'; readonly runners: number }
  const size = fc.record({ cpuMillis: fc.nat(2_000), memoryMib: fc.nat(2_000) })
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('claim' as const),
        sizes: fc.array(size, { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('adopt' as const), size }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('free' as const), at: fc.nat(9) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('session' as const),
        runners: fc.integer({ min: 2, max: 6 }),
      }),
    },
  )
  let born = 0

  /** The host as a fresh claim left it; null for every other step. */
  async function run(store: FleetStore, host: Host, one: Step): Promise<Host | null> {
    born += 10
    switch (one.kind) {
      case 'claim':
        return claim(
          store,
          host,
          one.sizes.map((of, n) => ({ runner: rid(born + n), slot: { ...SLOT, ...of } })),
        )
      case 'adopt':
        await store.adoptSlot({ host: H1, runner: rid(born), slot: { ...SLOT, ...one.size }, now: T0 })
        return null
      case 'free': {
        const runner = [...host.slots.keys()][one.at] ?? rid(0)
        await store.freeSlot({ host: H1, runner, now: T0 })
        return null
      }
      case 'session': {
        const capacity = {
          runners: one.runners,
          cpuMillis: one.runners * 1_000,
          memoryMib: one.runners * 1_000,
        }
        const hello = { host: H1, connection: connectionId(`c${born}`), facts: facts({ capacity }), now: T0 }
        const begun = await store.beginSession(hello)
        await store.openHost({ host: H1, epoch: begun!.epoch, now: T0 })
        return null
      }
      default:
        return unreachable(one)
    }
  }

  it('always equal the slots, and claims never exceed the capacity, in any order and at once', async () => {
    let claims = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }), async (bursts) => {
        const bench = await open()
        await onlineHost(bench.store)
        for (const burst of bursts) {
          const host = await bench.store.getHost(H1)
          const claimed = await Promise.all(burst.map((one) => run(bench.store, host!, one)))
          for (const { slots, capacity } of claimed.filter((one) => one !== null)) {
            claims += 1
            const used = sumsOf([...slots.values()])
            expect(used.runners).toBeLessThanOrEqual(capacity.runners)
            expect(used.cpuMillis).toBeLessThanOrEqual(capacity.cpuMillis)
            expect(used.memoryMib).toBeLessThanOrEqual(capacity.memoryMib)
          }
          const item = HostSums.parse(await bench.raw.get('HOST#h1', 'HOST'))
          expect(item.used).toEqual(sumsOf(Object.values(item.slots)))
          expect(item.free).toEqual(less(item.capacity, item.used))
        }
      }),
      { numRuns: 40 },
    )
    expect(claims).toBeGreaterThan(0)
  })
})

const Size = z.object({ cpuMillis: z.number(), memoryMib: z.number() })
const Sums = Size.extend({ runners: z.number() })
const HostSums = z.object({ slots: z.record(z.string(), Size), used: Sums, free: Sums, capacity: Sums })

function sumsOf(slots: readonly SlotSize[]): HostCapacity {
  return {
    runners: slots.length,
    cpuMillis: slots.reduce((sum, { cpuMillis }) => sum + cpuMillis, 0),
    memoryMib: slots.reduce((sum, { memoryMib }) => sum + memoryMib, 0),
  }
}

function less(left: HostCapacity, right: HostCapacity): HostCapacity {
  return {
    runners: left.runners - right.runners,
    cpuMillis: left.cpuMillis - right.cpuMillis,
    memoryMib: left.memoryMib - right.memoryMib,
  }
}
