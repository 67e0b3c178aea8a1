import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { epoch, fence, type SlipwayError } from '../../../core/model/index.ts'
import { addHost, claimsOf, EXITED, H1, reserved, rid, T0, tombstone } from '../../contract/store-fixtures.ts'
import { openBench } from './bench.ts'

describe('writes of one turn of the event loop', () => {
  it('share one commit, and are answered after it, in their order', async () => {
    const { store, db } = openBench()
    const answers = [1, 2, 3].map((n) =>
      store.putRunner(reserved(n), T0).then(() => void db.events.push(`answered ${n}`)),
    )
    expect(db.events).toEqual([])
    await Promise.all(answers)
    expect(db.events).toEqual(['committed', 'answered 1', 'answered 2', 'answered 3'])
  })

  it('are seen by another process once they are answered, and not before', async () => {
    const { store, other } = openBench()
    const count = () => other().prepare('SELECT count(*) AS runners FROM runners').get()
    const put = store.putRunner(reserved(1), T0)
    expect(count()).toEqual({ runners: 0 })
    await put
    expect(count()).toEqual({ runners: 1 })
  })

  it('are seen by the reads that were asked for after them, which are answered after the commit too', async () => {
    const { store, db } = openBench()
    const before = store.getRunner(H1, rid(1))
    const put = store.putRunner(reserved(1), T0)
    const after = store.getRunner(H1, rid(1)).then((runner) => {
      db.events.push('read')
      return runner
    })
    expect([await before, await put, await after]).toEqual([null, null, reserved(1)])
    expect(db.events).toEqual(['committed', 'read'])
  })

  it('that come in the next turn have a commit of their own', async () => {
    const { store, db } = openBench()
    const first = store.putRunner(reserved(1), T0)
    await turn()
    await Promise.all([first, store.putRunner(reserved(2), T0)])
    expect(db.events).toEqual(['committed', 'committed'])
  })

  it('whose condition does not hold, or that fail, leave the others as they are', async () => {
    const { store, db } = openBench()
    await addHost(store)
    db.exec("INSERT INTO slots (host, runner, template, cpu_millis, memory_mib) VALUES ('h1', '?', '', 0, 0)")
    const [put, refused, failed, late] = await Promise.allSettled([
      store.putRunner(reserved(1), T0),
      store.dispatchRunner({ host: H1, id: rid(9), epoch: epoch(1), now: T0 }),
      store.claimSlots({ host: H1, fence: fence(0), epoch: epoch(0), claims: claimsOf(1), now: T0 }),
      store.putRunner(reserved(2), T0),
    ])
    expect(put).toMatchObject({ status: 'fulfilled', value: null })
    expect(refused).toMatchObject({ status: 'fulfilled', value: { moved: false, runner: null } })
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'store-item-corrupt' } })
    expect(late).toMatchObject({ status: 'fulfilled', value: null })
    expect((await store.readFleet()).runners).toHaveLength(2)
  })

  it('undo all that a failing one of them had written by then', async () => {
    const { store, db } = openBench()
    db.exec(
      `CREATE TRIGGER full BEFORE INSERT ON images WHEN new.image = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`,
    )
    const images = new Map([
      ['good', { state: 'present' } as const],
      ['bad', { state: 'present' } as const],
    ])
    const [merged, put] = await Promise.allSettled([
      store.mergeImages({ host: H1, images, now: T0 }),
      store.putRunner(reserved(1), T0),
    ])
    expect(merged).toMatchObject({ status: 'rejected', reason: { code: 'store-unavailable' } })
    expect(put.status).toBe('fulfilled')
    expect((await store.readFleet()).images).toEqual([])
  })

  it('fail all together when their commit fails, reads among them too, and the next ones are done', async () => {
    const { store, db } = openBench()
    db.failsToCommit = true
    const results = await Promise.allSettled([
      store.putRunner(reserved(1), T0),
      store.getRunner(H1, rid(1)),
      store.putRunner(reserved(2), T0),
    ])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'store-unavailable' } })
    }
    db.failsToCommit = false
    expect((await store.readFleet()).runners).toEqual([])
    expect(await store.putRunner(reserved(1), T0)).toBeNull()
  })

  it('fail all together on a full disk, and leave nothing', async () => {
    const { store, db } = openBench()
    const { page_count: pages } = db.prepare('PRAGMA page_count').get() ?? {}
    db.exec(`PRAGMA max_page_count = ${Number(pages)}`)
    const long = 'x'.repeat(100_000)
    const results = await Promise.allSettled([
      store.putRunner(tombstone(1), T0),
      store.putRunner(tombstone(2, { ...EXITED, reason: long }), T0),
    ])
    const codes = results.map((one) =>
      one.status === 'rejected' ? (one.reason as SlipwayError).code : 'done',
    )
    expect(codes[1]).toBe('store-unavailable')
    db.exec('PRAGMA max_page_count = 1000000')
    expect((await store.readFleet()).runners).toHaveLength(codes[0] === 'done' ? 1 : 0)
    expect(await store.putRunner(reserved(3), T0)).toBeNull()
  })
})

it('a commit waits until its bytes are on disk, and readers block no writer', () => {
  const { db } = openBench()
  expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
  expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
})
