import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type LiveRunner,
  type Moved,
  type Runner,
  type StopOrder,
  epoch,
  furthest,
  mayMove,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import {
  CANCEL,
  EXITED,
  H1,
  H2,
  NEVER,
  type Open,
  type OpenStore,
  reserved,
  rid,
  SECOND,
  T0,
  tombstone,
} from './store-fixtures.ts'

const E1 = epoch(1)
const E2 = epoch(2)
const key = { host: H1, id: rid(1), now: T0 + SECOND }

export function describeRunners(open: Open): void {
  describe('runners', () => {
    let opened: OpenStore
    let store: FleetStore
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened.close())

    async function standing(state: Runner['state']): Promise<void> {
      await store.putRunner(reserved(1), T0)
      if (state === 'dispatched' || state === 'running') await store.dispatchRunner({ ...key, epoch: E1 })
      if (state === 'running') await store.startRunner({ ...key, startedAt: T0 })
      if (state === 'gone') await store.endRunner({ ...key, ending: NEVER })
    }

    it('go from reserved over dispatched and running to gone', async () => {
      const facts = reserved(1)
      expect(await store.putRunner(facts, T0)).toBeNull()
      const { state: _, ...rest } = facts
      const dispatched = { ...rest, state: 'dispatched', epoch: E1, dispatchedAt: T0 + 1 }
      expect(await store.dispatchRunner({ ...key, epoch: E1, now: T0 + 1 })).toEqual(moved(dispatched))
      const running = { ...rest, state: 'running', startedAt: T0 + 2 }
      expect(await store.startRunner({ ...key, startedAt: T0 + 2, now: T0 + 3 })).toEqual(moved(running))
      const gone = { ...rest, state: 'gone', ...EXITED, startedAt: T0 + 2, goneAt: T0 + 4 }
      const ended = await store.endRunner({ ...key, ending: EXITED, startedAt: T0 + 9, now: T0 + 4 })
      expect(ended).toEqual(moved(gone))
      expect(await store.getRunner(H1, rid(1))).toEqual(gone)
    })

    it('are put once', async () => {
      expect(await store.getRunner(H1, rid(1))).toBeNull()
      expect(await store.putRunner(reserved(1), T0)).toBeNull()
      expect(await store.putRunner(reserved(1), T0)).toBeNull()
      expect(await store.putRunner(reserved(1, { reservation: null }), T0)).toEqual(reserved(1))
      expect(await store.putRunner(reserved(1, { host: H2 }), T0)).toBeNull()
      expect(await store.getRunner(H1, rid(1))).toEqual(reserved(1))
    })

    it('are put once by many at the same time', async () => {
      const puts = Array.from({ length: 8 }, (_, n) =>
        store.putRunner(reserved(1, { reservedAt: T0 + n }), T0),
      )
      expect((await Promise.all(puts)).filter((there) => there === null)).toHaveLength(1)
    })

    it('may be put in any state, as a snapshot rebuilds them', async () => {
      const { state: _, ...rest } = reserved(1)
      const all: Runner[] = [
        reserved(1),
        { ...rest, state: 'dispatched', id: rid(2), epoch: E1, dispatchedAt: T0 },
        { ...rest, state: 'running', id: rid(3), startedAt: T0, stop: CANCEL },
        tombstone(4, { startedAt: T0, exitCode: 137, code: 'out-of-memory' }),
      ]
      for (const runner of all) expect(await store.putRunner(runner, T0)).toBeNull()
      for (const runner of all) expect(await store.getRunner(H1, runner.id)).toEqual(runner)
    })

    it('L2: put behind a tombstone change nothing', async () => {
      await store.putRunner(tombstone(1), T0)
      expect(await store.putRunner(reserved(1), T0 + SECOND)).toEqual(tombstone(1))
      expect(await store.getRunner(H1, rid(1))).toEqual(tombstone(1))
    })

    it('that are not there move nowhere', async () => {
      const nothing = { moved: false, runner: null }
      expect(await store.dispatchRunner({ ...key, epoch: E1 })).toEqual(nothing)
      expect(await store.startRunner({ ...key, startedAt: T0 })).toEqual(nothing)
      expect(await store.endRunner({ ...key, ending: EXITED })).toEqual(nothing)
      expect(await store.confirmRunner({ ...key, epoch: E1 })).toEqual(nothing)
      expect(await store.orderStop({ ...key, stop: CANCEL })).toEqual(nothing)
      expect(await store.getRunner(H1, rid(1))).toBeNull()
    })

    it('start from reserved too, when the report overtakes the dispatch; the dispatch then changes nothing', async () => {
      await standing('reserved')
      const started = await store.startRunner({ ...key, startedAt: T0 })
      expect(started).toMatchObject({ moved: true, runner: { state: 'running' } })
      expect(await store.dispatchRunner({ ...key, epoch: E1 })).toEqual({ ...started, moved: false })
    })

    it('L2: are dispatched once: the same call may repeat, another one may not', async () => {
      await standing('reserved')
      const mine = await store.dispatchRunner({ ...key, epoch: E1 })
      expect(await store.dispatchRunner({ ...key, epoch: E1 })).toEqual(mine)
      const others = [
        { ...key, epoch: E2 },
        { ...key, epoch: E1, now: key.now + 1 },
      ]
      for (const other of others) {
        expect(await store.dispatchRunner(other)).toEqual({ moved: false, runner: mine.runner })
      }
    })

    it('L2: are dispatched by exactly one of two loops at once', async () => {
      await standing('reserved')
      const calls = [1, 2, 3, 4].map((n) => store.dispatchRunner({ ...key, epoch: E1, now: T0 + n }))
      const answers = await Promise.all(calls)
      expect(answers.filter((answer) => answer.moved)).toHaveLength(1)
    })

    it.each(['reserved', 'dispatched', 'running'] as const)('end from %s', async (state) => {
      await standing(state)
      const ended = await store.endRunner({ ...key, ending: EXITED, startedAt: T0 + 5 })
      expect(ended.moved).toBe(true)
      expect(ended.runner).toEqual({
        ...tombstone(1),
        ...EXITED,
        startedAt: state === 'running' ? T0 : T0 + 5,
        goneAt: key.now,
      })
    })

    it('end only from the states that the caller names', async () => {
      await standing('dispatched')
      const before = await store.getRunner(H1, rid(1))
      const narrow = await store.endRunner({ ...key, ending: NEVER, only: ['reserved', 'running'] })
      expect(narrow).toEqual({ moved: false, runner: before })
      const wide = await store.endRunner({ ...key, ending: NEVER, only: ['reserved', 'dispatched'] })
      expect(wide).toMatchObject({ moved: true, runner: { state: 'gone', startedAt: null } })
    })

    it('invariant 6: stay gone as they went', async () => {
      await standing('gone')
      const gone = await store.getRunner(H1, rid(1))
      expect(await store.endRunner({ ...key, ending: NEVER, now: T0 + 9 })).toEqual(moved(gone))
      const refused = { moved: false, runner: gone }
      expect(await store.endRunner({ ...key, ending: EXITED })).toEqual(refused)
      expect(await store.dispatchRunner({ ...key, epoch: E2 })).toEqual(refused)
      expect(await store.startRunner({ ...key, startedAt: T0 })).toEqual(refused)
      expect(await store.confirmRunner({ ...key, epoch: E2 })).toEqual(refused)
      expect(await store.orderStop({ ...key, stop: CANCEL })).toEqual(refused)
      expect(await store.getRunner(H1, rid(1))).toEqual(gone)
    })

    it('W7: a late or repeated start changes nothing', async () => {
      await standing('running')
      const running = await store.getRunner(H1, rid(1))
      expect(await store.startRunner({ ...key, startedAt: T0 + 7 })).toEqual(moved(running))
      expect(await store.getRunner(H1, rid(1))).toEqual(running)
    })

    it('are confirmed by a newer session only, and only while dispatched', async () => {
      await standing('dispatched')
      expect(await store.confirmRunner({ ...key, epoch: E2 })).toMatchObject({
        moved: true,
        runner: { epoch: 2 },
      })
      expect(await store.confirmRunner({ ...key, epoch: E2 })).toMatchObject({
        moved: true,
        runner: { epoch: 2 },
      })
      expect(await store.confirmRunner({ ...key, epoch: E1 })).toMatchObject({
        moved: false,
        runner: { epoch: 2 },
      })
      await store.startRunner({ ...key, startedAt: T0 })
      expect(await store.confirmRunner({ ...key, epoch: epoch(3) })).toMatchObject({
        moved: false,
        runner: { state: 'running' },
      })
    })

    it('carry the first order to stop until they are gone', async () => {
      await standing('dispatched')
      expect(await store.orderStop({ ...key, stop: CANCEL })).toMatchObject({
        moved: true,
        runner: { stop: CANCEL },
      })
      const later: StopOrder = { reason: 'canceled', requestedAt: T0 + 9 }
      expect(await store.orderStop({ ...key, stop: later })).toMatchObject({
        moved: true,
        runner: { stop: CANCEL },
      })
      const other: StopOrder = { reason: 'source-ended', requestedAt: T0 }
      expect(await store.orderStop({ ...key, stop: other })).toMatchObject({
        moved: false,
        runner: { stop: CANCEL },
      })
      expect(await store.startRunner({ ...key, startedAt: T0 })).toMatchObject({ runner: { stop: CANCEL } })
      expect(await store.endRunner({ ...key, ending: EXITED })).toMatchObject({ runner: { stop: null } })
    })

    it('of a host are listed until they are gone', async () => {
      for (let n = 1; n <= 6; n += 1) await store.putRunner(reserved(n), T0)
      await store.putRunner(reserved(7, { host: H2 }), T0)
      await store.dispatchRunner({ ...key, id: rid(2), epoch: E1 })
      await store.startRunner({ ...key, id: rid(3), startedAt: T0 })
      await store.endRunner({ ...key, id: rid(4), ending: NEVER })
      const live = (await store.listLiveRunners(H1)).runners
      expect(statesOf(live)).toEqual(['1 reserved', '2 dispatched', '3 running', '5 reserved', '6 reserved'])
    })

    it('invariant 6: move along edges of the state machine only, whatever arrives in whatever order', async () => {
      let n = 100
      await fc.assert(
        fc.asyncProperty(fc.array(arrivals, { maxLength: 12 }), async (arriving) => {
          n += 1
          const id = rid(n)
          await store.putRunner(reserved(n), T0)
          let before: Runner = reserved(n)
          for (const arrive of arriving) {
            const answer = await arrive(store, { host: H1, id, now: T0 + SECOND })
            const after = (await store.getRunner(H1, id))!
            expect(answer.runner).toEqual(after)
            expect({ before, after, legal: mayFollow(before, after) }).toMatchObject({ legal: true })
            expect(furthest(before, after).state).toBe(after.state)
            before = after
          }
        }),
        { numRuns: 60 },
      )
    })

    it('invariant 6: end the same way when everything arrives at once', async () => {
      for (let n = 300; n < 320; n += 1) {
        await store.putRunner(reserved(n), T0)
        const at = { host: H1, id: rid(n), now: T0 }
        const endings = [EXITED, NEVER, { ...NEVER, reason: 'another' }]
        const answers = await Promise.all([
          store.dispatchRunner({ ...at, epoch: E1 }),
          store.startRunner({ ...at, startedAt: T0 }),
          ...endings.map((ending) => store.endRunner({ ...at, ending })),
        ])
        const gone = await store.getRunner(H1, rid(n))
        expect(gone).toMatchObject({ state: 'gone' })
        expect(answers.slice(2).filter((answer) => answer.moved)).toHaveLength(1)
        for (const answer of answers.slice(2)) expect(answer.runner).toEqual(gone)
      }
    })
  })
}

type Arrival = (store: FleetStore, at: { host: typeof H1; id: Runner['id']; now: number }) => Promise<Moved>

const arrivals = fc.constantFrom<Arrival[]>(
  (store, at) => store.dispatchRunner({ ...at, epoch: E1 }),
  (store, at) => store.dispatchRunner({ ...at, epoch: E2 }),
  (store, at) => store.startRunner({ ...at, startedAt: T0 }),
  (store, at) => store.confirmRunner({ ...at, epoch: E2 }),
  (store, at) => store.orderStop({ ...at, stop: CANCEL }),
  (store, at) => store.endRunner({ ...at, ending: NEVER, only: ['dispatched'] }),
  (store, at) => store.endRunner({ ...at, ending: EXITED, startedAt: T0 }),
)

/** `reserved → running` stands for both of its edges: the report of the start overtook the dispatch. */
function mayFollow(before: Runner, after: Runner): boolean {
  if (before.state === 'gone') return JSON.stringify(before) === JSON.stringify(after)
  const overtook = before.state === 'reserved' && after.state === 'running'
  return before.state === after.state || overtook || mayMove(before.state, after.state)
}

function moved(runner: unknown) {
  return { moved: true, runner }
}

function statesOf(runners: readonly LiveRunner[]): string[] {
  return runners.map(({ id, state }) => `${Number(id.slice(-12))} ${state}`).toSorted()
}
