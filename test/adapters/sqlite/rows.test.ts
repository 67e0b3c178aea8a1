import { describe, expect, it } from 'vitest'
import {
  HOST_RUNNERS_MAX,
  type ImageState,
  type LeaseNotes,
  NO_NOTES,
  Secret,
  sourceId,
} from '../../../core/model/index.ts'
import {
  addHost,
  EXITED,
  FENCE_1,
  facts,
  H1,
  H2,
  onlineHost,
  reserved,
  rid,
  SLOT,
  T0,
  tombstone,
} from '../../contract/store-fixtures.ts'
import { template } from '../../support/template.ts'
import { openBench } from './bench.ts'

const corrupt = { code: 'store-item-corrupt' }

describe('a row that can not be read', () => {
  it('L14: is named and stops nobody else; invariant 8: it is not passed over as absent', async () => {
    const { store, db } = openBench()
    await onlineHost(store)
    await addHost(store, H2)
    for (const n of [1, 2]) await store.putRunner(reserved(n), T0)
    db.exec(`UPDATE hosts SET tags = 'none' WHERE id = 'h2'`)
    db.exec(`UPDATE runners SET state = 'hibernating' WHERE id = '${rid(1)}'`)
    db.exec(
      `INSERT INTO liveness (host, epoch, last_seen_at, expected_by, changed_at) VALUES ('-', 1, 1, 1, ${T0})`,
    )
    for (const fleet of [await store.readFleet(), await store.readChanges(T0)]) {
      expect(fleet.hosts.map(({ id }) => id)).toEqual([H1])
      expect(fleet.runners.map(({ id }) => id)).toEqual([rid(2)])
      expect(fleet.unreadable).toEqual([
        { host: H2, runner: null, problem: expect.stringContaining(`Host "h2" is invalid: tags`) },
        { host: null, runner: null, problem: expect.stringContaining('sign of life of host "-"') },
        {
          host: H1,
          runner: rid(1),
          problem: expect.stringContaining(`${rid(1)} of host "h1" is invalid: state`),
        },
      ])
    }
  })

  it('invariant 8: makes every question that it is an answer to fail, and no other', async () => {
    const { store, db } = openBench()
    await addHost(store)
    for (const n of [1, 2]) await store.putRunner(reserved(n), T0)
    db.exec(`UPDATE runners SET labels = '{' WHERE id = '${rid(1)}'`)
    await expect(store.getRunner(H1, rid(1))).rejects.toMatchObject(corrupt)
    expect(await store.listLiveRunners(H1)).toMatchObject({
      runners: [{ id: rid(2) }],
      unreadable: [{ host: H1, runner: rid(1) }],
    })
    // No tombstone takes its place, so its slot is never freed on the ground that nothing is known of it.
    await expect(store.putRunner(tombstone(1), T0)).rejects.toMatchObject(corrupt)
    expect(await store.getRunner(H1, rid(2))).toEqual(reserved(2))
  })

  it('says where and what, but no value', async () => {
    const { store, db } = openBench()
    await store.putRunner(reserved(1), T0)
    db.exec(`UPDATE runners SET source = 'Canary Value'`)
    const problem = await store.getRunner(H1, rid(1)).catch((thrown: Error) => thrown.message)
    expect(problem).toContain('source')
    expect(problem).not.toContain('Canary')
  })

  it('L14: of a slot makes its host unreadable, not a host with more room', async () => {
    const { store, db } = openBench()
    await onlineHost(store)
    await store.adoptSlot({ host: H1, runner: rid(1), slot: SLOT, now: T0 })
    db.exec('UPDATE slots SET cpu_millis = -1')
    expect(await store.readFleet()).toMatchObject({ hosts: [], unreadable: [{ host: H1, runner: null }] })
  })

  it('L14: of a flag makes its host unreadable, not a host that takes no work', async () => {
    const { store, db } = openBench()
    await onlineHost(store)
    db.exec('UPDATE hosts SET accepting = 7')
    expect(await store.readFleet()).toMatchObject({ hosts: [], unreadable: [{ host: H1, runner: null }] })
  })

  it('L14: of the notes of the last planner is no reason not to plan: its successor looks for itself', async () => {
    const { store, db } = openBench()
    await store.takeLease({ holder: 'ann', build: 'b', now: T0, ttlMs: 20_000, handOverAt: null })
    db.exec(`UPDATE lease SET notes = '{"mintWindows":'`)
    expect(await store.readLease()).toMatchObject({ holder: 'ann', notes: NO_NOTES })
  })

  it('L14: of a status hides no other source, and is replaced by the next one', async () => {
    const { store, db } = openBench()
    const status = { checkedAt: T0, state: { kind: 'ok' as const }, waiting: [], refusals: [] }
    for (const name of ['one', 'two']) await store.putSourceStatus({ ...status, source: sourceId(name) })
    db.exec(`UPDATE source_statuses SET status = 'fine' WHERE source = 'one'`)
    expect((await store.readSourceStatuses()).map(({ source }) => source)).toEqual(['two'])
    await store.putSourceStatus({ ...status, source: sourceId('one') })
    expect(await store.readSourceStatuses()).toHaveLength(2)
  })

  it('L14: of the templates in force is told as such, and gives way to the next version', async () => {
    const { store, db } = openBench()
    const version = { version: 1, storedAt: T0, storedBy: 'ann', text: 'a', templates: [template('small')] }
    await store.putTemplateVersion(version, 0)
    db.exec(`UPDATE template_versions SET templates = '[7]'`)
    await expect(store.readTemplates()).rejects.toMatchObject(corrupt)
    expect(await store.readTemplatesVersion()).toBe(1)
    expect(await store.putTemplateVersion(version, 1)).toBe(true)
    expect(await store.readTemplates()).toMatchObject({ version: 2 })
  })
})

describe('what is written', () => {
  it('invariant 15: is named field by field, so that a secret that came along is not stored', async () => {
    const { store, db } = openBench()
    const canary = 'sf_ert_canary'
    const stray = { secretEnv: { TOKEN: canary }, token: new Secret(canary), env: canary }
    const host = await onlineHost(store, { facts: stray as never })
    const slot = { ...SLOT, ...stray }
    const under = { host: H1, fence: host.fence, epoch: host.epoch, now: T0 }
    await store.claimSlots({ ...under, claims: [{ runner: rid(1), slot }] })
    await store.putRunner({ ...reserved(1), ...stray }, T0)
    await store.endRunner({ host: H1, id: rid(1), ending: { ...EXITED, ...stray }, now: T0 })
    const sign = { host: H1, epoch: host.epoch, lastSeenAt: T0, expectedBy: T0, startsPerMinute: 1 }
    await store.putLiveness({ ...sign, ...stray })
    await store.mergeImages({ host: H1, images: new Map([['x', { state: 'present', ...stray }]]), now: T0 })
    await store.takeLease({ holder: 'a', build: 'b', now: T0, ttlMs: 1, handOverAt: null })
    const mintWindows = { s: { startedAt: T0, calls: 1, ...stray } }
    const notes: LeaseNotes = { ...NO_NOTES, mintWindows, ...stray }
    await store.renewLease({ holder: 'a', fence: FENCE_1, now: T0, ttlMs: 1, notes })
    const status = { source: sourceId('s'), checkedAt: T0, state: { kind: 'ok' as const } }
    await store.putSourceStatus({ ...status, waiting: [], refusals: [], ...stray })
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    const rows = tables.map(({ name }) => db.prepare(`SELECT * FROM ${String(name)}`).all())
    expect(rows.filter((all) => all.length > 0).length).toBeGreaterThan(6)
    expect(JSON.stringify(rows)).not.toContain(canary)
  })

  it('D7: about images is bounded: those told longest ago go first', async () => {
    const { store } = openBench()
    for (let day = 0; day < 13; day += 1) {
      const images = new Map<string, ImageState>(
        Array.from({ length: 60 }, (_, n) => [`image-${day}-${n}`, { state: 'present' }]),
      )
      images.set('image-in-use', { state: 'present' })
      await store.mergeImages({ host: H1, images, now: T0 + day })
    }
    const { images } = (await store.readFleet()).images[0]!
    expect(images.size).toBe(500)
    expect(images.has('image-in-use')).toBe(true)
    for (let n = 0; n < 60; n += 1) expect(images.has(`image-12-${n}`)).toBe(true)
    expect(images.has('image-0-0')).toBe(false)
  })

  it('D7: about one dead runner is bounded', async () => {
    const { store } = openBench()
    const part = { host: H1, runner: rid(1), text: 'x', now: T0 }
    for (const numbers of [
      { part: 65, parts: 66 },
      { part: 3, parts: 2 },
    ]) {
      await expect(store.putCrashReport({ ...part, ...numbers })).rejects.toMatchObject({
        code: 'store-item-too-large',
      })
    }
    expect(await store.getCrashReport(H1, rid(1))).toBeNull()
  })

  it('D7: about adopted slots is bounded', async () => {
    const { store } = openBench()
    await onlineHost(store, { facts: facts() })
    const adopt = (n: number) => store.adoptSlot({ host: H1, runner: rid(n), slot: SLOT, now: T0 })
    await Promise.all(Array.from({ length: 2 * HOST_RUNNERS_MAX }, (_, n) => adopt(n)))
    await expect(adopt(9_999)).rejects.toMatchObject({ code: 'store-item-too-large' })
  })
})

describe('what is asked for all the time', () => {
  const planOf = (sql: string) => {
    const { db } = openBench()
    return db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all({})
      .map(({ detail }) => String(detail))
  }

  it.each([
    ['hosts', 'SELECT * FROM hosts WHERE changed_at >= 1'],
    ['liveness', 'SELECT * FROM liveness WHERE changed_at >= 1'],
    ['image_lists', 'SELECT * FROM image_lists WHERE changed_at >= 1'],
    ['runners', 'SELECT * FROM runners WHERE changed_at >= 1'],
    ['runners', "SELECT * FROM runners WHERE host = 'h1' AND state <> 'gone'"],
    [
      'runners',
      "SELECT host, id FROM runners WHERE state = 'gone' AND changed_at < 1 ORDER BY changed_at LIMIT 9",
    ],
    ['slots', 'SELECT * FROM slots WHERE host IN (SELECT id FROM hosts WHERE changed_at >= 1)'],
  ])('is found in %s by an index: %s', (_, sql) => {
    const plan = planOf(sql)
    expect(plan.filter((line) => line.startsWith('SCAN') || line.includes('TEMP B-TREE'))).toEqual([])
    expect(plan[0]).toMatch(/^SEARCH/)
  })

  it('is told alone: one change among ten thousand tombstones', async () => {
    const { store } = openBench()
    await Promise.all(Array.from({ length: 10_000 }, (_, n) => store.putRunner(tombstone(n + 10), T0)))
    const later = T0 + 60_000
    await store.putRunner(reserved(1), later)
    const { runners, cursor } = await store.readChanges(later)
    expect(runners.map(({ id }) => id)).toEqual([rid(1)])
    expect(cursor).toBe(later)
  })
})
