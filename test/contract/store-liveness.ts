import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FleetCache } from '../../core/flows/planner/fleet-cache.ts'
import { epoch, type HostLiveness, type ImageState } from '../../core/model/index.ts'
import { addHost, H1, onlineHost, type Open, type OpenStore, SECOND, T0 } from './store-fixtures.ts'

export function describeLiveness(open: Open): void {
  describe('what a host says of itself', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('W7: keeps the newest sign of life, in whatever order the signs arrive', async () => {
      const signs = [
        [1, 0],
        [1, 5],
        [2, 1],
        [2, 3],
        [3, 2],
      ].map(
        ([session, at]): HostLiveness => ({
          host: H1,
          epoch: epoch(session!),
          lastSeenAt: T0 + at!,
          expectedBy: T0 + at! + SECOND,
          startsPerMinute: at === 0 ? null : at!,
        }),
      )
      await fc.assert(
        fc.asyncProperty(fc.shuffledSubarray(signs, { minLength: 1 }), async (arriving) => {
          const { store } = opened
          await store.removeHost(H1)
          expect(await store.getLiveness(H1)).toBeNull()
          for (const sign of [...arriving, ...arriving]) await store.putLiveness(sign)
          const newest = arriving.toSorted(
            (left, right) => right.epoch - left.epoch || right.lastSeenAt - left.lastSeenAt,
          )[0]
          expect(await store.getLiveness(H1)).toEqual(newest)
        }),
        { numRuns: 30 },
      )
    })

    it('tells of a first sign, an overdue one and one of a new session; an expected one is only seen by who reads everything', async () => {
      const { store } = opened
      const MINUTE = 60 * SECOND
      const told: number[] = []
      for (const [session, minutes] of [
        [1, 0],
        [1, 2],
        [1, 4],
        [1, 8],
        [2, 9],
      ] as const) {
        const lastSeenAt = T0 + minutes * MINUTE
        const sign = { host: H1, epoch: epoch(session), lastSeenAt, startsPerMinute: minutes }
        await store.putLiveness({ ...sign, expectedBy: lastSeenAt + 3 * MINUTE })
        const { liveness } = await store.readChanges(lastSeenAt)
        if (liveness.length > 0) told.push(minutes)
        expect((await store.readFleet()).liveness).toMatchObject([sign])
      }
      expect(told).toEqual([0, 8, 9])
    })

    it('W7: a planner that has read everything is not talked out of it by changes that tell an older sign', async () => {
      const { store } = opened
      const host = await onlineHost(store)
      const view = new FleetCache()
      const lastSeenAt = (): number | undefined => view.world(T0, [], []).hosts[0]?.liveness?.lastSeenAt
      const sign = { host: H1, epoch: host.epoch, startsPerMinute: null }
      await store.putLiveness({ ...sign, lastSeenAt: T0, expectedBy: T0 + 9 * SECOND })
      view.apply(await store.readChanges(T0))
      expect(lastSeenAt()).toBe(T0)
      await store.putLiveness({ ...sign, lastSeenAt: T0 + SECOND, expectedBy: T0 + 99 * SECOND })
      view.applyAll(await store.readFleet())
      view.apply(await store.readChanges(T0))
      expect(lastSeenAt()).toBe(T0 + SECOND)
    })

    it('merges what a host says of its images', async () => {
      const { store } = opened
      const many = new Map<string, ImageState>(
        Array.from({ length: 230 }, (_, n) => [
          `registry.example/team/image-${n}:v1.2@sha256:00ff`,
          { state: 'pulling' },
        ]),
      )
      await store.mergeImages({ host: H1, images: many, now: T0 })
      const failed: ImageState = { state: 'failed', reason: 'no such tag', retryAt: T0 + SECOND }
      const news = new Map<string, ImageState>([
        ['registry.example/team/image-7:v1.2@sha256:00ff', { state: 'present' }],
        ['x', failed],
      ])
      await store.mergeImages({ host: H1, images: news, now: T0 })
      await store.mergeImages({ host: H1, images: new Map(), now: T0 })
      const [images] = (await store.readFleet()).images
      expect(images).toMatchObject({ host: H1 })
      expect(images!.images).toEqual(new Map([...many, ...news]))
    })

    it('starts the revision of images above that of a removed host of the same name', async () => {
      const { store } = opened
      await addHost(store)
      const tell = (now: number) =>
        store.mergeImages({ host: H1, images: new Map([['x', { state: 'present' }]]), now })
      for (let n = 0; n < 5; n += 1) await tell(T0)
      const [before] = (await store.readFleet()).images
      await store.removeHost(H1)
      await addHost(store)
      await tell(T0 + 30 * SECOND)
      const [after] = (await store.readFleet()).images
      expect(after!.revision).toBeGreaterThan(before!.revision)
    })

    it('loses no image when several messages are merged at once', async () => {
      const { store } = opened
      const merging = Array.from({ length: 10 }, (_, n) =>
        store.mergeImages({ host: H1, images: new Map([[`image-${n}`, { state: 'present' }]]), now: T0 }),
      )
      await Promise.all(merging)
      const [images] = (await store.readFleet()).images
      expect(images!.images.size).toBe(10)
      expect(images!.revision).toBe(T0 + 9)
    })
  })
}
