import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FENCE_1, FENCE_2, type Open, type OpenStore, SECOND, T0 } from './store-fixtures.ts'
import type { LeaseNotes } from '../../core/model/index.ts'

const TTL = 20 * SECOND
const NOTES: LeaseNotes = {
  mintWindows: { shipfox: { startedAt: T0, calls: 7 } },
  reportedUpTo: { shipfox: T0 - SECOND },
  lastWorkAt: T0 - SECOND,
  workLeft: true,
}
const ann = { holder: 'ann', build: 'b1', now: T0, ttlMs: TTL, handOverAt: T0 + 840 * SECOND }
const bob = { holder: 'bob', build: 'b1', now: T0, ttlMs: TTL, handOverAt: null }

export function describeLease(open: Open): void {
  describe('the lease', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('is taken where there is none, and held against others until its end', async () => {
      const { store } = opened
      expect(await store.readLease()).toBeNull()
      const taken = await store.takeLease(ann)
      expect(taken).toEqual({
        holder: 'ann',
        build: 'b1',
        fence: FENCE_1,
        takenAt: T0,
        expiresAt: T0 + TTL,
        handOverAt: T0 + 840 * SECOND,
        yieldTo: null,
        notes: { mintWindows: {}, reportedUpTo: {}, lastWorkAt: 0, workLeft: true },
      })
      expect(await store.readLease()).toEqual(taken)
      expect(await store.takeLease({ ...bob, now: T0 + TTL - 1 })).toBeNull()
      expect(await store.takeLease({ ...bob, now: T0 + TTL })).toMatchObject({
        holder: 'bob',
        fence: FENCE_2,
      })
    })

    it('rises its fence when its holder takes it again', async () => {
      await opened.store.takeLease(ann)
      expect(await opened.store.takeLease({ ...ann, build: 'b2' })).toMatchObject({
        fence: FENCE_2,
        build: 'b2',
      })
    })

    it('goes to exactly one of many that take it at once, and again when it is over', async () => {
      for (const now of [T0, T0 + TTL]) {
        const takers = Array.from({ length: 12 }, (_, n) => ({ ...ann, holder: `taker-${now}-${n}`, now }))
        const taken = await Promise.all(takers.map((taker) => opened.store.takeLease(taker)))
        const winners = taken.filter((lease) => lease !== null)
        expect(winners).toHaveLength(1)
        expect(await opened.store.readLease()).toEqual(winners[0])
      }
    })

    it('is renewed by its holder and fence alone', async () => {
      const { store } = opened
      await store.takeLease(ann)
      const renewal = { holder: 'ann', fence: FENCE_1, now: T0 + SECOND, ttlMs: TTL, notes: NOTES }
      expect(await store.renewLease({ ...renewal, holder: 'bob' })).toBeNull()
      expect(await store.renewLease({ ...renewal, fence: FENCE_2 })).toBeNull()
      expect(await store.renewLease(renewal)).toMatchObject({ expiresAt: T0 + SECOND + TTL, notes: NOTES })
      expect(await store.readLease()).toMatchObject({
        expiresAt: T0 + SECOND + TTL,
        notes: NOTES,
        fence: FENCE_1,
      })
    })

    it('L2: leaves a lapsed holder that writes late without effect, and the new notes untouched', async () => {
      const { store } = opened
      await store.takeLease(ann)
      const taken = await store.takeLease({ ...bob, now: T0 + TTL })
      const late = { holder: 'ann', fence: FENCE_1, now: T0 + TTL + SECOND, notes: NOTES }
      expect(await store.renewLease({ ...late, ttlMs: TTL })).toBeNull()
      await store.releaseLease(late)
      expect(await store.readLease()).toEqual(taken)
    })

    it('L2: fences the same holder out of its own earlier term', async () => {
      const { store } = opened
      await store.takeLease(ann)
      const again = await store.takeLease(ann)
      const late = { holder: 'ann', fence: FENCE_1, now: T0, notes: NOTES }
      expect(await store.renewLease({ ...late, ttlMs: TTL })).toBeNull()
      await store.releaseLease(late)
      expect(await store.readLease()).toEqual(again)
    })

    it('ends at once when released, by any clock, with its notes handed on', async () => {
      const { store } = opened
      await store.takeLease(ann)
      const mine = { holder: 'ann', fence: FENCE_1, now: T0 + SECOND, notes: NOTES }
      await store.releaseLease(mine)
      await store.releaseLease(mine)
      expect(await store.renewLease({ ...mine, ttlMs: TTL })).toBeNull()
      const slow = { ...bob, now: T0 - 3_600 * SECOND }
      expect(await store.takeLease(slow)).toMatchObject({ holder: 'bob', fence: FENCE_2, notes: NOTES })
    })

    it('keeps its notes over a take-over', async () => {
      const { store } = opened
      await store.takeLease(ann)
      await store.renewLease({ holder: 'ann', fence: FENCE_1, now: T0, ttlMs: TTL, notes: NOTES })
      expect(await store.takeLease({ ...bob, now: T0 + TTL })).toMatchObject({ notes: NOTES })
    })

    it('carries a wish to hand over to the holder, until somebody takes it', async () => {
      const { store } = opened
      await store.requestYield({ holder: 'ann', build: 'b2' })
      expect(await store.readLease()).toBeNull()
      await store.takeLease(ann)
      await store.requestYield({ holder: 'bob', build: 'b2' })
      expect(await store.readLease()).toMatchObject({ yieldTo: null })
      await store.requestYield({ holder: 'ann', build: 'b2' })
      const renewal = { holder: 'ann', fence: FENCE_1, now: T0, ttlMs: TTL, notes: NOTES }
      expect(await store.renewLease(renewal)).toMatchObject({ yieldTo: 'b2' })
      const next = await store.takeLease({ ...bob, build: 'b2', now: T0 + TTL })
      expect(next).toMatchObject({ yieldTo: null })
      await store.releaseLease({ holder: 'bob', fence: next!.fence, now: T0 + TTL, notes: NOTES })
      await store.requestYield({ holder: 'bob', build: 'b3' })
      expect(await store.readLease()).toMatchObject({ yieldTo: null })
    })
  })
}
