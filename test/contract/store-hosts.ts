import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectionId, epoch, templateKey } from '../../core/model/index.ts'
import {
  addHost,
  claim,
  claimsOf,
  FENCE_1,
  FENCE_2,
  facts,
  H1,
  H2,
  LINUX,
  nextEpoch,
  type Open,
  type OpenStore,
  onlineHost,
  reserved,
  SECOND,
  T0,
} from './store-fixtures.ts'

const first = connectionId('first')
const second = connectionId('second')

export function describeHosts(open: Open): void {
  describe('hosts', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('are added once, unclaimable', async () => {
      const { store } = opened
      const host = { id: H1, tags: ['big', 'fast'], tokenHash: 'hash-1', now: T0 }
      expect(await store.getHost(H1)).toBeNull()
      expect(await store.addHost(host)).toBe(true)
      expect(await store.addHost({ ...host, tokenHash: 'hash-2' })).toBe(false)
      expect(await store.getHost(H1)).toMatchObject({
        id: H1,
        tags: ['big', 'fast'],
        tokenHash: 'hash-1',
        state: 'new',
        stateSince: T0,
        connection: null,
        install: null,
        fence: 0,
        capacity: { runners: 0, cpuMillis: 0, memoryMib: 0 },
        accepting: false,
        slots: new Map(),
        backoffs: new Map(),
      })
    })

    it('are added once by many at the same time', async () => {
      const adding = Array.from({ length: 8 }, (_, n) =>
        opened.store.addHost({ id: H1, tags: [], tokenHash: `hash-${n}`, now: T0 }),
      )
      expect((await Promise.all(adding)).filter(Boolean)).toHaveLength(1)
    })

    it('start above the epoch and revision of a removed host of the same name', async () => {
      const { store } = opened
      await onlineHost(store)
      for (let n = 0; n < 5; n += 1) await store.setBackoff(backoff(n))
      const before = await store.getHost(H1)
      await store.removeHost(H1)
      await store.addHost({ id: H1, tags: [], tokenHash: 'another', now: T0 + 60 * SECOND })
      const after = await store.getHost(H1)
      expect(after!.revision).toBeGreaterThan(before!.revision)
      expect(after!.epoch).toBeGreaterThan(before!.epoch)
    })

    it('take a new token', async () => {
      const { store } = opened
      expect(await store.replaceToken({ host: H1, tokenHash: 'new', now: T0 })).toBe(false)
      await addHost(store)
      expect(await store.replaceToken({ host: H1, tokenHash: 'new', now: T0 })).toBe(true)
      expect(await store.getHost(H1)).toMatchObject({ tokenHash: 'new', state: 'new' })
    })

    it('have a fence that only rises', async () => {
      const { store } = opened
      expect(await store.raiseFence(H1, FENCE_1)).toBeNull()
      await addHost(store)
      expect(await store.raiseFence(H1, FENCE_2)).toMatchObject({ fence: FENCE_2 })
      expect(await store.raiseFence(H1, FENCE_1)).toMatchObject({ fence: FENCE_2 })
      expect(await store.raiseFence(H1, FENCE_2)).toMatchObject({ fence: FENCE_2 })
      expect(await store.getHost(H1)).toMatchObject({ fence: FENCE_2 })
    })

    it('raise their revision with every write', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const revision = async () => (await store.getHost(H1))!.revision
      const writes = [
        () => store.raiseFence(H1, FENCE_2),
        () => claim(store, { ...host, fence: FENCE_2 }, claimsOf(1)),
        () => store.freeSlot({ host: H1, runner: claimsOf(1)[0]!.runner, now: T0 }),
        () => store.setBackoff(backoff(1)),
        () => store.setBackoff({ ...backoff(1), backoff: null }),
        () => store.setAccepting({ host: H1, epoch: host.epoch, accepting: false, reason: 'full', now: T0 }),
        () => store.replaceToken({ host: H1, tokenHash: 'new', now: T0 }),
        () => store.endSession({ host: H1, connection: host.connection!, now: T0 }),
      ]
      for (const write of writes) {
        const before = await revision()
        await write()
        expect(await revision()).toBe(before + 1)
      }
    })

    it('begin a session with a higher epoch, and are claimable once it is open', async () => {
      const { store } = opened
      const hello = { host: H1, connection: first, facts: facts(), now: T0 + SECOND }
      expect(await store.beginSession(hello)).toBeNull()
      await addHost(store)
      const added = await store.getHost(H1)
      const begun = await store.beginSession(hello)
      expect(begun).toMatchObject({
        state: 'syncing',
        stateSince: T0 + SECOND,
        connection: first,
        ...facts(),
      })
      expect(begun!.epoch).toBe(added!.epoch + 1)
      expect(await store.openHost({ host: H1, epoch: added!.epoch, now: T0 })).toBe(false)
      const opening = { host: H1, epoch: begun!.epoch, now: T0 + 2 * SECOND }
      expect(await store.openHost(opening)).toBe(true)
      expect(await store.openHost({ ...opening, now: T0 + 3 * SECOND })).toBe(true)
      expect(await store.getHost(H1)).toMatchObject({ state: 'online', stateSince: T0 + 2 * SECOND })
    })

    it('W8: answer a repeated hello of a connection with the session that it has', async () => {
      const { store } = opened
      await addHost(store)
      const hello = { host: H1, connection: first, facts: facts(), now: T0 }
      const begun = await store.beginSession(hello)
      expect(await store.beginSession(hello)).toEqual(begun)
    })

    it('W12: belong to the newest of two sessions', async () => {
      const { store } = opened
      await addHost(store)
      const older = await store.beginSession({ host: H1, connection: first, facts: facts(), now: T0 })
      const newer = await store.beginSession({ host: H1, connection: second, facts: facts(), now: T0 })
      expect(newer!.epoch).toBe(nextEpoch(older!))
      expect(await store.openHost({ host: H1, epoch: older!.epoch, now: T0 })).toBe(false)
      expect(await store.getHost(H1)).toMatchObject({ state: 'syncing', connection: second })
    })

    it('W6: a late disconnect of the old connection leaves the new session alone', async () => {
      const { store } = opened
      await addHost(store)
      await store.beginSession({ host: H1, connection: first, facts: facts(), now: T0 })
      const newer = await store.beginSession({ host: H1, connection: second, facts: facts(), now: T0 })
      expect(await store.endSession({ host: H1, connection: first, now: T0 + SECOND })).toBe(false)
      expect(await store.getHost(H1)).toEqual(newer)
    })

    it('go offline with their session, once, and keep their slots', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      await claim(store, host, claimsOf(1))
      const end = { host: H1, connection: host.connection!, now: T0 + SECOND }
      expect(await store.endSession(end)).toBe(true)
      expect(await store.endSession({ ...end, now: T0 + 2 * SECOND })).toBe(false)
      expect(await store.getHost(H1)).toMatchObject({
        state: 'offline',
        stateSince: T0 + SECOND,
        connection: null,
        epoch: host.epoch,
      })
      expect((await store.getHost(H1))!.slots.size).toBe(1)
      expect(await store.openHost({ host: H1, epoch: host.epoch, now: T0 })).toBe(false)
      expect(await store.endSession({ ...end, host: H2 })).toBe(false)
    })

    it('W7: accept or not as their newest session says, and write only what differs', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const say = { host: H1, epoch: host.epoch, accepting: false, reason: 'disk full', now: T0 + SECOND }
      await store.setAccepting({ ...say, epoch: epoch(host.epoch - 1) })
      await store.setAccepting({ ...say, accepting: true, reason: null })
      await store.setAccepting({ ...say, host: H2 })
      expect(await store.getHost(H1)).toEqual(host)
      expect(await store.getHost(H2)).toBeNull()
      await store.setAccepting(say)
      await store.setAccepting(say)
      expect(await store.getHost(H1)).toMatchObject({
        accepting: false,
        notAcceptingReason: 'disk full',
        revision: host.revision + 1,
      })
    })

    it('are declared dead only while offline and unchanged, and come back with a new session', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const die = { host: H1, revision: host.revision, now: T0 + SECOND }
      expect(await store.declareDead(die)).toBe(false)
      await store.endSession({ host: H1, connection: host.connection!, now: T0 })
      expect(await store.declareDead(die)).toBe(false)
      const offline = await store.getHost(H1)
      expect(await store.declareDead({ ...die, revision: offline!.revision })).toBe(true)
      expect(await store.getHost(H1)).toMatchObject({ state: 'dead', stateSince: T0 + SECOND })
      expect(await store.declareDead({ ...die, host: H2 })).toBe(false)
      const back = await store.beginSession({ host: H1, connection: second, facts: facts(), now: T0 })
      expect(back).toMatchObject({ state: 'syncing', epoch: nextEpoch(host) })
    })

    it('keep a backoff per template until it is cleared', async () => {
      const { store } = opened
      await addHost(store)
      const other = templateKey('gpu.large "x"/ä')
      await store.setBackoff(backoff(1))
      await store.setBackoff({ ...backoff(2), template: other })
      await store.setBackoff(backoff(3))
      await store.setBackoff({ ...backoff(9), host: H2 })
      expect((await store.getHost(H1))!.backoffs).toEqual(
        new Map([
          [LINUX, { failures: 3, until: T0 + 3 }],
          [other, { failures: 2, until: T0 + 2 }],
        ]),
      )
      await store.setBackoff({ ...backoff(0), backoff: null })
      await store.setBackoff({ ...backoff(0), backoff: null })
      await store.setBackoff({ ...backoff(0), host: H2, backoff: null })
      expect([...(await store.getHost(H1))!.backoffs.keys()]).toEqual([other])
      expect(await store.getHost(H2)).toBeNull()
    })

    it('take their liveness and images with them, and leave their runners', async () => {
      const { store } = opened
      await onlineHost(store)
      await onlineHost(store, { id: H2 })
      for (const host of [H1, H2]) {
        await store.putLiveness({
          host,
          epoch: epoch(1),
          lastSeenAt: T0,
          expectedBy: T0,
          startsPerMinute: null,
        })
        await store.mergeImages({ host, images: new Map([['x', { state: 'present' }]]), now: T0 })
        await store.putRunner(reserved(1, { host }), T0)
      }
      await store.removeHost(H1)
      await store.removeHost(H1)
      const fleet = await store.readFleet()
      expect(fleet.hosts.map(({ id }) => id)).toEqual([H2])
      expect(fleet.liveness.map(({ host }) => host)).toEqual([H2])
      expect(fleet.images.map(({ host }) => host)).toEqual([H2])
      expect(fleet.runners.map(({ host }) => host).toSorted()).toEqual([H1, H2])
    })

    it('are not changed by what a caller does with an answer, or with what it gave', async () => {
      const { store } = opened
      const tags = ['big']
      await store.addHost({ id: H1, tags, tokenHash: 'hash', now: T0 })
      tags.push('later')
      const answer = await store.getHost(H1)
      ;(answer!.slots as Map<unknown, unknown>).set('x', 'y')
      ;(answer!.tags as string[]).push('more')
      expect(await store.getHost(H1)).toMatchObject({ tags: ['big'], slots: new Map() })
    })
  })
}

function backoff(n: number) {
  return { host: H1, template: LINUX, backoff: { failures: n, until: T0 + n }, now: T0 }
}
