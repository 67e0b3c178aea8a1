import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CLAIMS_MAX, type Host, connectionId, epoch, templateKey } from '../../core/model/index.ts'
import { type FleetStore } from '../../core/ports/index.ts'
import {
  claim,
  claimsOf,
  FENCE_1,
  FENCE_2,
  facts,
  H1,
  H2,
  type Open,
  type OpenStore,
  onlineHost,
  rid,
  SECOND,
  SLOT,
  T0,
} from './store-fixtures.ts'

export function describeSlots(open: Open): void {
  describe('slots', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('are claimed all or none', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const claimed = await claim(store, host, claimsOf(1, 2, 3))
      expect(claimed!.slots).toEqual(new Map(claimsOf(1, 2, 3).map(({ runner, slot }) => [runner, slot])))
      expect(claimed!.revision).toBe(host.revision + 1)
      expect(await claim(store, host, claimsOf(4, 5))).toBeNull()
      expect(await heldBy(store)).toEqual([rid(1), rid(2), rid(3)])
      expect(await claim(store, host, claimsOf(4))).not.toBeNull()
    })

    it.each([
      ['runners', { runners: 1, cpuMillis: 9_000, memoryMib: 9_000 }],
      ['CPU', { runners: 9, cpuMillis: 1_999, memoryMib: 9_000 }],
      ['memory', { runners: 9, cpuMillis: 9_000, memoryMib: 2_047 }],
    ])('invariant 3: stop at the capacity of %s', async (_, capacity) => {
      const { store } = opened
      const host = await onlineHost(store, { facts: { capacity } })
      expect(await claim(store, host, claimsOf(1, 2))).toBeNull()
      expect(await claim(store, host, claimsOf(1))).not.toBeNull()
      expect(await claim(store, host, claimsOf(2))).toBeNull()
    })

    it('invariant 5: are not claimed under another fence or epoch', async () => {
      const { store } = opened
      const host = await onlineHost(store, { under: 2 })
      expect(await claim(store, host, claimsOf(1), { fence: FENCE_1 })).toBeNull()
      expect(await claim(store, host, claimsOf(1), { fence: epochAsFence(3) })).toBeNull()
      expect(await claim(store, host, claimsOf(1), { epoch: epoch(host.epoch - 1) })).toBeNull()
      expect(await claim(store, host, claimsOf(1), { epoch: epoch(host.epoch + 1) })).toBeNull()
      expect(await store.getHost(H1)).toEqual(host)
    })

    it('are not claimed on a host that is absent, syncing, offline or not accepting', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      expect(await claim(store, { ...host, id: H2 }, claimsOf(1))).toBeNull()
      await store.setAccepting({ host: H1, epoch: host.epoch, accepting: false, reason: 'full', now: T0 })
      expect(await claim(store, host, claimsOf(1))).toBeNull()
      await store.setAccepting({ host: H1, epoch: host.epoch, accepting: true, reason: null, now: T0 })
      await store.endSession({ host: H1, connection: host.connection!, now: T0 })
      expect(await claim(store, host, claimsOf(1))).toBeNull()
      const begun = await store.beginSession({
        host: H1,
        connection: connectionId('c2'),
        facts: facts(),
        now: T0,
      })
      expect(await claim(store, begun!, claimsOf(1))).toBeNull()
      await store.openHost({ host: H1, epoch: begun!.epoch, now: T0 })
      expect(await claim(store, begun!, claimsOf(1))).not.toBeNull()
    })

    it('D1: claimed twice answer alike and count once', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const claimed = await claim(store, host, claimsOf(1, 2, 3))
      expect(await claim(store, host, claimsOf(1, 2, 3))).toEqual(claimed)
      expect(await claim(store, host, claimsOf(4))).not.toBeNull()
      expect(await claim(store, host, claimsOf(1, 2, 3))).not.toBeNull()
      expect(await heldBy(store)).toEqual([1, 2, 3, 4].map(rid))
    })

    it('D1: held in part, or otherwise, are no repeat', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1))
      expect(await claim(store, host, claimsOf(1, 2))).toBeNull()
      const otherwise = [{ runner: rid(1), slot: { ...SLOT, cpuMillis: 1 } }]
      expect(await claim(store, host, otherwise)).toBeNull()
      expect(await heldBy(store)).toEqual([rid(1)])
    })

    it('L2: a repeat of a claim by a predecessor is refused', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1))
      await store.raiseFence(H1, FENCE_2)
      expect(await claim(store, host, claimsOf(1))).toBeNull()
    })

    it(`are claimed up to ${CLAIMS_MAX} at once, each for another runner`, async () => {
      const { store } = opened
      const capacity = { runners: 500, cpuMillis: 1_000_000, memoryMib: 1_000_000 }
      const host = await onlineHost(store, { facts: { capacity } })
      const all = claimsOf(...Array.from({ length: CLAIMS_MAX }, (_, n) => n))
      expect((await claim(store, host, all))!.slots.size).toBe(CLAIMS_MAX)
      const tooMany = claimsOf(...Array.from({ length: CLAIMS_MAX + 1 }, (_, n) => 1_000 + n))
      for (const claims of [tooMany, [], claimsOf(1, 1)]) {
        await expect(claim(store, host, claims)).rejects.toMatchObject({ code: 'claims-invalid' })
      }
    })

    it('invariant 10: the last one goes to exactly one of many loops that claim it at once', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1, 2, 3))
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, n) => claim(store, host, claimsOf(10 + n))),
      )
      expect(answers.filter((answer) => answer !== null)).toHaveLength(1)
      expect(await heldBy(store)).toHaveLength(4)
    })

    it('invariant 10: two batches that fit only alone are never both claimed', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const [left, right] = await Promise.all([
        claim(store, host, claimsOf(1, 2, 3)),
        claim(store, host, claimsOf(4, 5, 6)),
      ])
      expect([left, right].filter((answer) => answer !== null)).toHaveLength(1)
      expect(await heldBy(store)).toHaveLength(3)
    })

    it('are adopted whatever room there is, once, and block claims until they are freed', async () => {
      const { store } = opened
      const capacity = { runners: 2, cpuMillis: 2_000, memoryMib: 2_048 }
      const host = await onlineHost(store, { facts: { capacity } })
      for (const n of [1, 2, 3, 3]) await store.adoptSlot({ host: H1, runner: rid(n), slot: SLOT, now: T0 })
      expect(await heldBy(store)).toEqual([1, 2, 3].map(rid))
      for (const n of [1, 2]) {
        expect(await claim(store, host, claimsOf(9))).toBeNull()
        await store.freeSlot({ host: H1, runner: rid(n), now: T0 })
        await store.freeSlot({ host: H1, runner: rid(n), now: T0 })
      }
      expect(await claim(store, host, claimsOf(9))).not.toBeNull()
      expect(await claim(store, host, claimsOf(10))).toBeNull()
    })

    it('keep what was claimed when the same runner is adopted', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const claimed = await claim(store, host, claimsOf(1))
      const slot = { ...SLOT, template: templateKey('other') }
      await store.adoptSlot({ host: H1, runner: rid(1), slot, now: T0 })
      expect(await store.getHost(H1)).toEqual(claimed)
    })

    it('of a host that is not there are neither adopted nor freed, without complaint', async () => {
      const { store } = opened
      await store.adoptSlot({ host: H2, runner: rid(1), slot: SLOT, now: T0 })
      await store.freeSlot({ host: H2, runner: rid(1), now: T0 })
      expect(await store.getHost(H2)).toBeNull()
    })

    it('are left alone by who frees them only in another state of their host', async () => {
      const { store } = opened
      await claim(store, await onlineHost(store), claimsOf(1, 2))
      await store.freeSlot({ host: H1, runner: rid(1), only: 'dead', now: T0 })
      expect(await heldBy(store)).toEqual([1, 2].map(rid))
      await store.freeSlot({ host: H1, runner: rid(1), only: 'online', now: T0 })
      expect(await heldBy(store)).toEqual([rid(2)])
    })

    it('stay within a capacity that shrank or grew with a new session', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1, 2, 3))
      const again = async (connection: string, runners: number): Promise<Host> => {
        const capacity = { runners, cpuMillis: 8_000, memoryMib: 8_192 }
        const hello = { host: H1, connection: connectionId(connection), facts: facts({ capacity }), now: T0 }
        const begun = await store.beginSession(hello)
        await store.openHost({ host: H1, epoch: begun!.epoch, now: T0 + SECOND })
        return begun!
      }
      const small = await again('small', 2)
      expect(small.slots.size).toBe(3)
      expect(await claim(store, small, claimsOf(4))).toBeNull()
      await store.freeSlot({ host: H1, runner: rid(1), now: T0 })
      expect(await claim(store, small, claimsOf(4))).toBeNull()
      const large = await again('large', 5)
      expect(await claim(store, large, claimsOf(4, 5, 6))).not.toBeNull()
      expect(await claim(store, large, claimsOf(7))).toBeNull()
    })

    it('freed by many at once are freed once', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1, 2, 3, 4))
      await Promise.all([1, 1, 1, 2, 2, 3].map((n) => store.freeSlot({ host: H1, runner: rid(n), now: T0 })))
      expect(await claim(store, host, claimsOf(5, 6, 7, 8))).toBeNull()
      expect(await claim(store, host, claimsOf(5, 6, 7))).not.toBeNull()
    })
  })
}

async function heldBy(store: FleetStore): Promise<string[]> {
  return [...(await store.getHost(H1))!.slots.keys()].toSorted()
}

function epochAsFence(value: number): typeof FENCE_1 {
  return value as typeof FENCE_1
}
