import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectionId, type Fence, type Host, mayMove } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import {
  claim,
  claimsOf,
  EXITED,
  facts,
  H1,
  NEVER,
  type Open,
  type OpenStore,
  onlineHost,
  reserved,
  rid,
  SECOND,
  SLOT,
  T0,
  tombstone,
} from './store-fixtures.ts'
import { inOrder } from './store-reading.ts'

const TTL = 20 * SECOND
const NOTES = { mintWindows: {}, reportedUpTo: { shipfox: T0 }, lastWorkAt: T0, workLeft: true }

/** One runner's life as the hub writes it, a step per write. Each step may be the last one that a process does. */
const LIFE: readonly (readonly [name: string, write: (store: FleetStore, host: Host) => Promise<unknown>])[] =
  [
    ['claim', (store, host) => claim(store, host, claimsOf(1))],
    ['put', (store) => store.putRunner(reserved(1), T0 + 1)],
    ['dispatch', (store, { epoch }) => store.dispatchRunner({ host: H1, id: rid(1), epoch, now: T0 + 2 })],
    ['start', (store) => store.startRunner({ host: H1, id: rid(1), startedAt: T0 + 3, now: T0 + 3 })],
    ['end', (store) => store.endRunner({ host: H1, id: rid(1), ending: EXITED, now: T0 + 4 })],
    ['free', (store) => store.freeSlot({ host: H1, runner: rid(1), now: T0 + 5 })],
  ]

export function describeRaces(open: Open): void {
  describe('crashes and races', () => {
    let opened: OpenStore
    let store: FleetStore
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.close())

    it('D1: every step of a life may be repeated: it answers as the first time, and changes nothing', async () => {
      const host = await onlineHost(store)
      for (const [name, write] of LIFE) {
        const answer = await write(store, host)
        const fleet = inOrder(await store.readFleet())
        expect({ name, answer: await write(store, host) }).toEqual({ name, answer })
        expect({ name, fleet: inOrder(await store.readFleet()) }).toEqual({ name, fleet })
      }
    })

    it.each(LIFE.map(([name], step) => [name, step] as const))(
      'L4: a crash after "%s" leaves a legal state, and doing it all again ends the same',
      async (_, step) => {
        const host = await onlineHost(store)
        for (const [, write] of LIFE.slice(0, step + 1)) await write(store, host)
        await expectLegal(store)
        // From "put" on: after a free the slot would be claimed anew, for a runner that is gone.
        const rest = step === LIFE.length - 1 ? LIFE.slice(1) : LIFE
        for (const [, write] of rest) {
          await write(store, host)
          await expectLegal(store)
        }
        const fleet = await store.readFleet()
        expect(fleet.runners).toEqual([{ ...tombstone(1), ...EXITED, startedAt: T0 + 3, goneAt: T0 + 4 }])
        expect(fleet.hosts[0]!.slots).toEqual(new Map())
      },
    )

    const launch = LIFE.slice(0, 3)
    it.each(Array.from({ length: launch.length + 1 }, (_, step) => step))(
      'L2: a holder paused before step %i of a launch, that wakes after a take-over, revives nothing',
      async (pausedBefore) => {
        const mine = (await store.takeLease({
          holder: 'ann',
          build: 'b1',
          now: T0,
          ttlMs: TTL,
          handOverAt: null,
        }))!
        const host = await onlineHost(store, { under: mine.fence })
        for (const [, write] of launch.slice(0, pausedBefore)) await write(store, host)

        const wasDispatched = pausedBefore === launch.length
        const fleet = await takeOver(store)
        await endWhatIsOrphaned(store, wasDispatched)
        const settled = inOrder(await store.readFleet())

        const answers = []
        for (const [, write] of launch.slice(pausedBefore)) answers.push(await write(store, host))
        expect(inOrder(await store.readFleet())).toEqual(settled)
        // Nothing tells the sleeper to go on: no claim, no fresh runner, no dispatch that a launch may follow.
        expect(answers).toMatchObject([null, { state: 'gone' }, { moved: false }].slice(pausedBefore))
        expect(await claim(store, host, claimsOf(2))).toBeNull()
        const lapsed = {
          holder: 'ann',
          fence: mine.fence,
          now: T0 + 2 * TTL,
          notes: { ...NOTES, reportedUpTo: {} },
        }
        expect(await store.renewLease({ ...lapsed, ttlMs: TTL })).toBeNull()
        await store.releaseLease(lapsed)
        expect(await store.readLease()).toMatchObject({ holder: 'bob', fence: fleet.fence, notes: NOTES })
      },
    )

    it('L2: claims of two holders that overlap with a take-over never exceed the host', async () => {
      const host = await onlineHost(store)
      const old = [1, 2, 3].map((n) => claim(store, host, claimsOf(n)))
      const raising = store.raiseFence(H1, (host.fence + 1) as Fence)
      const fresh = raising.then((raised) =>
        Promise.all([4, 5, 6].map((n) => claim(store, raised!, claimsOf(n), { fence: raised!.fence }))),
      )
      const late = raising.then(() => claim(store, host, claimsOf(7)))
      const held = [...(await Promise.all(old)), ...(await fresh)].filter((answer) => answer !== null)
      expect(await late).toBeNull()
      expect((await store.getHost(H1))!.slots.size).toBe(Math.min(held.length, 4))
      await expectLegal(store)
    })

    it('W7: reports of old epochs and late snapshots change nothing that is newer', async () => {
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1))
      await store.putRunner(reserved(1), T0)
      await store.dispatchRunner({ host: H1, id: rid(1), epoch: host.epoch, now: T0 })
      const newer = (await store.beginSession({
        host: H1,
        connection: connectionId('newer'),
        facts: facts(),
        now: T0,
      }))!
      await store.confirmRunner({ host: H1, id: rid(1), epoch: newer.epoch, now: T0 })
      await store.putLiveness({
        host: H1,
        epoch: newer.epoch,
        lastSeenAt: T0,
        expectedBy: T0,
        startsPerMinute: 1,
      })
      const before = inOrder(await store.readFleet())

      const old = { host: H1, epoch: host.epoch, now: T0 + SECOND }
      await store.putLiveness({ ...old, lastSeenAt: T0 + 9, expectedBy: T0 + 99, startsPerMinute: 9 })
      await store.setAccepting({ ...old, accepting: false, reason: 'old news' })
      expect(await store.openHost(old)).toBe(false)
      expect(await store.endSession({ ...old, connection: host.connection! })).toBe(false)
      expect(await store.confirmRunner({ ...old, id: rid(1) })).toMatchObject({ moved: false })
      await store.adoptSlot({ ...old, runner: rid(1), slot: SLOT })
      expect(inOrder(await store.readFleet())).toEqual(before)
    })
  })
}

/** Takes the lease, writes its fence into the host, and reads what is there. */
async function takeOver(store: FleetStore): Promise<{ fence: Fence }> {
  const lease = (await store.takeLease({
    holder: 'bob',
    build: 'b1',
    now: T0 + TTL,
    ttlMs: TTL,
    handOverAt: null,
  }))!
  await store.raiseFence(H1, lease.fence)
  await store.renewLease({ holder: 'bob', fence: lease.fence, now: T0 + TTL, ttlMs: TTL, notes: NOTES })
  return lease
}

/** What the successor does with a slot or runner that its predecessor left half-way: tombstone first, slot after. */
async function endWhatIsOrphaned(store: FleetStore, wasDispatched: boolean): Promise<void> {
  if (wasDispatched) return
  if ((await store.putRunner(tombstone(1), T0 + TTL)) !== null) {
    await store.endRunner({ host: H1, id: rid(1), ending: NEVER, only: ['reserved'], now: T0 + TTL })
  }
  await store.freeSlot({ host: H1, runner: rid(1), now: T0 + TTL })
}

/** A live runner holds a slot; nothing exceeds the host. */
async function expectLegal(store: FleetStore): Promise<void> {
  const { hosts, runners } = await store.readFleet()
  const host = hosts[0]!
  const live = runners.filter(({ state }) => mayMove(state, 'gone'))
  expect(live.filter(({ id }) => !host.slots.has(id))).toEqual([])
  const slots = [...host.slots.values()]
  expect(slots.length).toBeLessThanOrEqual(host.capacity.runners)
  expect(slots.reduce((sum, { cpuMillis }) => sum + cpuMillis, 0)).toBeLessThanOrEqual(
    host.capacity.cpuMillis,
  )
}
