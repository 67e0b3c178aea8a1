import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fleet, connectionId, epoch } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import {
  addHost,
  EXITED,
  facts,
  H1,
  H2,
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

const DAY = 86_400 * SECOND

export function describeReading(open: Open): void {
  describe('reading', () => {
    let opened: OpenStore
    let store: FleetStore
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.close())

    it('finds an empty fleet empty', async () => {
      const nothing = { hosts: [], liveness: [], images: [], runners: [], unreadable: [] }
      expect(await store.readFleet()).toEqual(nothing)
      expect(await store.readChanges(T0)).toEqual({ ...nothing, cursor: T0 })
    })

    it('tells the whole fleet, tombstones included, and none of the records', async () => {
      await store.takeLease({ holder: 'ann', build: 'b1', now: T0, ttlMs: SECOND, handOverAt: null })
      const host = await onlineHost(store)
      const liveness = {
        host: H1,
        epoch: epoch(1),
        lastSeenAt: T0,
        expectedBy: T0 + 5,
        startsPerMinute: 12.5,
      }
      await store.putLiveness(liveness)
      await store.mergeImages({ host: H1, images: new Map([['x', { state: 'present' }]]), now: T0 })
      await store.putRunner(reserved(1), T0)
      await store.putRunner(tombstone(2), T0)
      await store.putCrashReport({ host: H1, runner: rid(2), part: 0, parts: 1, text: '{}', now: T0 })
      const fleet = await store.readFleet()
      expect(fleet).toMatchObject({ hosts: [host], liveness: [liveness], unreadable: [] })
      expect(fleet.images).toEqual([
        { host: H1, images: new Map([['x', { state: 'present' }]]), revision: T0 },
      ])
      expect(inOrder(fleet).runners).toEqual([reserved(1), tombstone(2)])
      const { cursor, ...changes } = await store.readChanges(T0 - SECOND)
      expect(inOrder(changes)).toEqual(inOrder(fleet))
      expect(cursor).toBe(T0)
    })

    it('tells each change after a cursor, and nothing that is long past', async () => {
      await addHost(store)
      await store.putRunner(reserved(1), T0)
      const later = T0 + 60 * SECOND
      await store.dispatchRunner({ host: H1, id: rid(1), epoch: epoch(1), now: later })
      const changes = await store.readChanges(later - 1)
      expect(changes.hosts).toEqual([])
      expect(changes.runners).toMatchObject([{ id: rid(1), state: 'dispatched' }])
      expect(changes.cursor).toBe(later)
      expect((await store.readChanges(later + 60 * SECOND)).runners).toEqual([])
    })

    it('tells what was written with a time some seconds behind the cursor', async () => {
      await store.putRunner(reserved(1), T0)
      const { cursor } = await store.readChanges(T0)
      await store.putRunner(reserved(2), T0 - 5 * SECOND)
      const { runners } = await store.readChanges(cursor)
      expect(runners.map(({ id }) => id)).toContain(rid(2))
    })

    it('tells two changes of one item in one millisecond, to a reader between them and to another', async () => {
      await store.putRunner(reserved(1), T0)
      const { cursor } = await store.readChanges(T0)
      await store.startRunner({ host: H1, id: rid(1), startedAt: T0, now: T0 })
      for (const from of [cursor, T0 - 1]) {
        expect((await store.readChanges(from)).runners).toMatchObject([{ state: 'running' }])
      }
      await store.endRunner({ host: H1, id: rid(1), ending: EXITED, now: T0 })
      expect((await store.readChanges(cursor)).runners).toMatchObject([{ state: 'gone' }])
    })

    it('tells every kind of change of a host', async () => {
      await addHost(store)
      let at = T0
      const changes: ((now: number) => Promise<unknown>)[] = [
        (now) => store.beginSession({ host: H1, connection: connectionId('c'), facts: facts(), now }),
        (now) => store.adoptSlot({ host: H1, runner: rid(1), slot: SLOT, now }),
        (now) => store.freeSlot({ host: H1, runner: rid(1), now }),
        (now) => store.replaceToken({ host: H1, tokenHash: 'other', now }),
        (now) => store.endSession({ host: H1, connection: connectionId('c'), now }),
      ]
      for (const change of changes) {
        const { cursor } = await store.readChanges(at)
        at += 60 * SECOND
        await change(at)
        const told = await store.readChanges(cursor)
        expect(told.hosts).toEqual([await store.getHost(H1)])
      }
    })

    it('forgets what was removed', async () => {
      await addHost(store)
      await store.putRunner(tombstone(1), T0)
      await store.readChanges(T0)
      await store.removeHost(H1)
      await store.removeExpired({ before: T0 + 1, limit: 10 })
      const { cursor: _, ...changes } = await store.readChanges(T0)
      expect(changes).toEqual({ hosts: [], liveness: [], images: [], runners: [], unreadable: [] })
    })

    it('D2: loses no change, however writes and readings alternate', async () => {
      let base = 0
      // On from run to run: to a reader, a change far before the last one would be a clock that is off.
      let now = T0
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(7), { maxLength: 25 }), async (steps) => {
          base += 100
          const told = new Map<string, string>()
          let cursor = now
          const read = async () => {
            const changes = await store.readChanges(cursor)
            ;({ cursor } = changes)
            for (const { id, state } of changes.runners) told.set(id, state)
          }
          for (const step of steps) {
            const id = rid(base + (step % 3))
            now += step * 300
            if (step < 2) await store.putRunner(reserved(base + (step % 3), { reservedAt: now }), now)
            else if (step < 4) await store.startRunner({ host: H1, id, startedAt: now, now })
            else if (step < 5) await store.endRunner({ host: H1, id, ending: NEVER, now: now - SECOND })
            else await read()
          }
          await read()
          const { runners } = await store.readFleet()
          const written = runners.filter(({ id }) => Number(id.slice(-12)) >= base)
          for (const { id, state } of written) expect(told.get(id)).toBe(state)
        }),
        { numRuns: 25 },
      )
    })
  })

  describe('records', () => {
    let opened: OpenStore
    let store: FleetStore
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.close())

    it('of a dead runner come in parts, in any order, and are whole once all are there', async () => {
      const texts = ['first ä\n', 'second', '3rd', ...Array.from({ length: 9 }, (_, n) => `part ${n}`)]
      const box = { host: H1, runner: rid(1), parts: texts.length, now: T0 }
      expect(await store.getCrashReport(H1, rid(1))).toBeNull()
      for (const part of [...texts.keys()].toReversed()) {
        expect(await store.getCrashReport(H1, rid(1))).toBeNull()
        await store.putCrashReport({ ...box, part, text: texts[part]! })
        await store.putCrashReport({ ...box, part, text: texts[part]! })
      }
      expect(await store.getCrashReport(H1, rid(1))).toBe(texts.join(''))
      expect(await store.getCrashReport(H2, rid(1))).toBeNull()
      expect(await store.getCrashReport(H1, rid(2))).toBeNull()
    })

    it('are removed with the tombstones once they are old, up to a limit, oldest of each kind first', async () => {
      for (let n = 1; n <= 5; n += 1) {
        await store.putRunner(tombstone(n), T0 + n)
        await store.putCrashReport({ host: H1, runner: rid(n), part: 0, parts: 1, text: 'x', now: T0 + n })
      }
      expect(await store.removeExpired({ before: T0 + 4, limit: 2 })).toBe(2)
      expect(idsOf(await store.readFleet())).toEqual([3, 4, 5])
      expect(await store.removeExpired({ before: T0 + 4, limit: 100 })).toBe(4)
      expect(await store.removeExpired({ before: T0 + 4, limit: 100 })).toBe(0)
      expect(idsOf(await store.readFleet())).toEqual([4, 5])
      expect(await store.getCrashReport(H1, rid(3))).toBeNull()
      expect(await store.getCrashReport(H1, rid(4))).toBe('x')
    })

    it('D3: nothing that lives is removed, however old it is', async () => {
      const host = await onlineHost(store)
      await store.putRunner(reserved(1), T0)
      await store.putRunner(reserved(2), T0)
      await store.startRunner({ host: H1, id: rid(2), startedAt: T0, now: T0 })
      expect(await store.removeExpired({ before: T0 + 365 * DAY, limit: 100 })).toBe(0)
      expect(idsOf(await store.readFleet())).toEqual([1, 2])
      expect(await store.getHost(H1)).toEqual(host)
    })

    it('a tombstone can be removed before its time, and nothing else can', async () => {
      await store.putRunner(tombstone(1), T0)
      await store.putRunner(reserved(2), T0)
      for (const n of [1, 1, 2, 3]) await store.forgetRunner({ host: H1, id: rid(n) })
      expect(idsOf(await store.readFleet())).toEqual([2])
    })

    it('a tombstone is as old as its last write', async () => {
      await store.putRunner(reserved(1), T0)
      await store.endRunner({ host: H1, id: rid(1), ending: NEVER, now: T0 + DAY })
      expect(await store.removeExpired({ before: T0 + DAY, limit: 9 })).toBe(0)
      expect(await store.removeExpired({ before: T0 + DAY + 1, limit: 9 })).toBe(1)
    })
  })
}

/** Stores answer in any order. */
export function inOrder(fleet: Fleet): Fleet {
  const by = <T>(name: (one: T) => string) => ({
    of: (all: readonly T[]) => all.toSorted((left, right) => (name(left) < name(right) ? -1 : 1)),
  })
  return {
    hosts: by<Fleet['hosts'][number]>(({ id }) => id).of(fleet.hosts),
    liveness: by<Fleet['liveness'][number]>(({ host }) => host).of(fleet.liveness),
    images: by<Fleet['images'][number]>(({ host }) => host).of(fleet.images),
    runners: by<Fleet['runners'][number]>(({ host, id }) => `${host}/${id}`).of(fleet.runners),
    unreadable: fleet.unreadable,
  }
}

function idsOf(fleet: Fleet): number[] {
  return fleet.runners.map(({ id }) => Number(id.slice(-12))).toSorted((left, right) => left - right)
}
