import { describe, expect, it } from 'vitest'
import {
  EXITED,
  H1,
  onlineHost,
  reserved,
  rid,
  SECOND,
  T0,
  tombstone,
} from '../../contract/store-fixtures.ts'
import { type Bench, interfere, useBenches } from './bench.ts'

/** Enough runners of about 2.5 KB each for three pages of 1 MB. */
const RUNNERS = 900
const LABELS = Array.from({ length: 20 }, (_, n) => `${'label-that-is-long-'.repeat(6)}${n}`)
const open = useBenches()

async function fill({ store }: Bench): Promise<void> {
  await onlineHost(store)
  const numbers = Array.from({ length: RUNNERS }, (_, n) => n + 1)
  while (numbers.length > 0) {
    await Promise.all(numbers.splice(0, 50).map((n) => store.putRunner(reserved(n, { labels: LABELS }), T0)))
  }
}

describe('reading more than one page', () => {
  it('D8: finds everything: the fleet, the live runners of a host, the changes', async () => {
    const bench = await open()
    await fill(bench)
    const calls = interfere(bench.client, () => 'none')
    const fleet = await bench.store.readFleet()
    expect(new Set(fleet.runners.map(({ id }) => id)).size).toBe(RUNNERS)
    expect(fleet.hosts).toHaveLength(1)
    expect(calls.filter((name) => name === 'Scan').length).toBeGreaterThan(2)
    expect((await bench.store.listLiveRunners(H1)).runners).toHaveLength(RUNNERS)
    expect(calls.filter((name) => name === 'Query').length).toBeGreaterThan(2)
    expect((await bench.store.readChanges(T0)).runners).toHaveLength(RUNNERS)
  })

  it('D8: throws when a later page fails, and gives no part of the answer', async () => {
    const bench = await open({ maxAttempts: 1 })
    await fill(bench)
    const { store } = bench
    const reads = [() => store.readFleet(), () => store.listLiveRunners(H1)]
    let left = 0
    interfere(bench.client, () => (left-- === 0 ? 'fail-before' : 'none'))
    for (const read of reads) {
      for (const failing of [0, 1, 2]) {
        left = failing
        await expect(read()).rejects.toMatchObject({ code: 'store-unavailable' })
      }
    }
    // The index is one page of keys here; the items behind it come in batches.
    for (const failing of [0, 1, 5]) {
      left = failing
      await expect(store.readChanges(T0)).rejects.toMatchObject({ code: 'store-unavailable' })
    }
    left = -1
    expect((await store.readChanges(T0)).runners).toHaveLength(RUNNERS)
  })

  it('removes expired items beyond one page', async () => {
    const { store } = await open()
    for (let n = 1; n <= 60; n += 1) await store.putRunner(tombstone(n), T0)
    expect(await store.removeExpired({ before: T0 + 1, limit: 37 })).toBe(37)
    expect(await store.removeExpired({ before: T0 + 1, limit: 37 })).toBe(23)
  })
})

describe('an index that lags behind its items', () => {
  it('D2: gives each item as it is now, and none that was removed, whatever version the index tells of', async () => {
    const bench = await open()
    const { store } = bench
    for (const n of [1, 2, 3]) await store.putRunner(reserved(n), T0)
    expect((await store.readChanges(T0)).runners).toHaveLength(3)
    for (const n of [1, 2]) await store.startRunner({ host: H1, id: rid(n), startedAt: T0, now: T0 })
    for (const n of [1, 2]) await store.endRunner({ host: H1, id: rid(n), ending: EXITED, now: T0 })
    await freezeIndex(bench)
    await store.endRunner({ host: H1, id: rid(3), ending: EXITED, now: T0 + SECOND })
    await bench.other().removeExpired({ before: T0 + 1, limit: 1 })
    const fresh = await bench.other().readFleet()
    // Runner 3 is told as it was: its line still names the version that this reader has seen. Its next one will not.
    const told = new Map((await store.readChanges(T0)).runners.map(({ id, state }) => [id, state]))
    expect(told.get(rid(3))).toBe('reserved')
    const others = fresh.runners.filter(({ id }) => id !== rid(3))
    expect(others.map(({ id }) => told.get(id))).toEqual(others.map(({ state }) => state))
    expect(told.size).toBe(fresh.runners.length)
  })

  it('D2: gives a first reader the item as it is now', async () => {
    const bench = await open()
    await bench.store.putRunner(reserved(1), T0)
    await freezeIndex(bench)
    await bench.store.endRunner({ host: H1, id: rid(1), ending: EXITED, now: T0 })
    expect((await bench.store.readChanges(T0)).runners).toMatchObject([{ state: 'gone' }])
  })
})

describe('reading in batches', () => {
  it('D9: asks again for what a batch left unprocessed', async () => {
    const bench = await open()
    await Promise.all(Array.from({ length: 30 }, (_, n) => bench.store.putRunner(reserved(n), T0)))
    const rounds = leaveHalfUnprocessed(bench, 4)
    expect((await bench.store.readChanges(T0)).runners).toHaveLength(30)
    expect(rounds()).toBe(5)
  })

  it('D9: throws rather than give a part, when a batch is never done', async () => {
    const bench = await open()
    await bench.store.putRunner(reserved(1), T0)
    await bench.store.putRunner(reserved(2), T0)
    leaveHalfUnprocessed(bench, Number.POSITIVE_INFINITY)
    await expect(bench.store.readChanges(T0)).rejects.toMatchObject({ code: 'store-unavailable' })
  })

  it('reads an item again only after it changed', async () => {
    const bench = await open()
    for (let n = 1; n <= 5; n += 1) await bench.store.putRunner(reserved(n), T0)
    const calls = interfere(bench.client, () => 'none')
    const { cursor } = await bench.store.readChanges(T0)
    expect(calls).toEqual(['Query', 'BatchGetItem'])
    const again = await bench.store.readChanges(cursor)
    expect(calls).toEqual(['Query', 'BatchGetItem', 'Query'])
    expect(again.runners).toHaveLength(5)
    const ending = { host: H1, id: rid(3), ending: EXITED, now: T0 + SECOND }
    await bench.store.endRunner(ending)
    const { runners } = await bench.store.readChanges(cursor)
    expect(calls.slice(3)).toEqual(['UpdateItem', 'Query', 'BatchGetItem'])
    expect(runners.filter(({ state }) => state === 'gone')).toMatchObject([{ id: rid(3) }])
    expect(runners).toHaveLength(5)
  })
})

/** Each of the first `times` batches answers for its first half (of one: for none), as under throttling. */
function leaveHalfUnprocessed({ client, table }: Bench, times: number): () => number {
  let round = 0
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const answer = await next(args)
      if (context['commandName'] !== 'BatchGetItemCommand') return answer
      round += 1
      if (round > times) return answer
      const output = answer.output as unknown as {
        Responses: Record<string, { pk: string; sk: string }[]>
        UnprocessedKeys: unknown
      }
      const items = output.Responses[table]!
      const left = items.splice(Math.floor(items.length / 2))
      output.UnprocessedKeys = {
        [table]: { Keys: left.map(({ pk, sk }) => ({ pk, sk })), ConsistentRead: true },
      }
      return answer
    },
    { step: 'deserialize', priority: 'high' },
  )
  return () => round
}

/** From now on every query is answered with the index as it stands now. */
async function freezeIndex({ client, raw }: Bench): Promise<void> {
  const items = await raw.all()
  const lines = items.map(({ pk, sk, changed, changedAt }) => ({ pk, sk, changed, changedAt }))
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (context['commandName'] !== 'QueryCommand') return next(args)
      return { response: {}, output: { $metadata: {}, Items: structuredClone(lines) } as never }
    },
    { step: 'deserialize', priority: 'high' },
  )
}
