import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../../adapters/sqlite/index.ts'
import { copyBefore, migrate, schemaVersion } from '../../../adapters/sqlite/migrate.ts'
import { SCHEMA_STEPS, type SchemaStep } from '../../../adapters/sqlite/schema.ts'
import { fence } from '../../../core/model/index.ts'
import { addHost, H1, reserved, rid, T0 } from '../../contract/store-fixtures.ts'
import { openBench, temporaryFolder } from './bench.ts'

const KNOWN = SCHEMA_STEPS.length
const GAUGES: SchemaStep = {
  oldestReader: KNOWN,
  statements: [
    'CREATE TABLE gauges (host TEXT PRIMARY KEY, disk REAL) STRICT',
    'ALTER TABLE runners ADD COLUMN colour TEXT',
  ],
}
const CLOSED: SchemaStep = { ...GAUGES, oldestReader: KNOWN + 1 }

/** A file with one runner, as this version leaves it. */
async function writeFile(): Promise<string> {
  const file = join(temporaryFolder(), 'hub.db')
  const { store, close } = openSqliteStore(file, { now: T0 })
  await store.putRunner(reserved(1), T0)
  await close()
  return file
}

function upgrade(file: string, ...steps: readonly SchemaStep[]): void {
  const db = new DatabaseSync(file)
  try {
    migrate(db, file, [...SCHEMA_STEPS, ...steps])
  } finally {
    db.close()
  }
}

function runnersIn(file: string): unknown {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare('SELECT id, state FROM runners').all()
  } finally {
    db.close()
  }
}

const ONE_RUNNER = [{ id: rid(1), state: 'reserved' }]

describe('the schema', () => {
  it('O1: changes by additions alone, so that the version before goes on with the file', () => {
    const ADDITION = /^(CREATE (UNIQUE )?(TABLE|INDEX)|ALTER TABLE \w+ ADD COLUMN|INSERT INTO) /
    const statements = SCHEMA_STEPS.flatMap((step) => step.statements)
    expect(statements.filter((statement) => !ADDITION.test(statement))).toEqual([])
  })

  it('is of the newest step in a new file, of which no copy is kept', async () => {
    const file = await writeFile()
    const db = new DatabaseSync(file)
    expect(schemaVersion(db)).toBe(KNOWN)
    db.close()
    expect(readdirSync(dirname(file))).toEqual(['hub.db'])
  })

  it('O1: is brought forward with its data, and a copy of the file as it was is kept', async () => {
    const file = await writeFile()
    upgrade(file, GAUGES)
    expect(runnersIn(file)).toEqual(ONE_RUNNER)
    expect(runnersIn(copyBefore(file, KNOWN))).toEqual(ONE_RUNNER)
    const copy = new DatabaseSync(copyBefore(file, KNOWN))
    expect(schemaVersion(copy)).toBe(KNOWN)
    copy.close()
    const { store, close } = openSqliteStore(copyBefore(file, KNOWN), { now: T0 })
    expect((await store.readFleet()).runners).toEqual([reserved(1)])
    await close()
  })

  it('O1: of a later version that this one may read is used, and what it does not know is kept', async () => {
    const file = await writeFile()
    upgrade(file, GAUGES)
    const later = new DatabaseSync(file)
    later.exec("UPDATE runners SET colour = 'red'")
    later.close()
    const { store, close } = openSqliteStore(file, { now: T0 })
    await store.startRunner({ host: H1, id: rid(1), startedAt: T0, now: T0 })
    await store.putRunner(reserved(2), T0)
    expect(await store.getRunner(H1, rid(1))).toMatchObject({ state: 'running' })
    await close()
    const again = new DatabaseSync(file)
    expect(schemaVersion(again)).toBe(KNOWN + 1)
    expect(again.prepare('SELECT colour FROM runners ORDER BY id').all()).toEqual([
      { colour: 'red' },
      { colour: null },
    ])
    again.close()
  })

  it('O1: of a later version that this one must not read is refused, unchanged, with what to do', async () => {
    const file = await writeFile()
    upgrade(file, CLOSED)
    const before = readFileSync(file)
    const open = () => openSqliteStore(file, { now: T0 })
    expect(open).toThrow(expect.objectContaining({ code: 'store-too-new' }))
    expect(open).toThrow(
      new RegExp(`Start that newer version again.*copy ${copyBefore(file, KNOWN)} to ${file}`),
    )
    rmSync(copyBefore(file, KNOWN))
    expect(open).toThrow('no copy from before the upgrade was kept')
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('that no version of ours writes is refused', async () => {
    const file = await writeFile()
    const db = new DatabaseSync(file)
    db.exec('PRAGMA user_version = -1')
    db.close()
    const open = () => openSqliteStore(file, { now: T0 })
    expect(open).toThrow(expect.objectContaining({ code: 'store-file-unusable' }))
  })

  it('stays as it was when a step fails, and the copy of an attempt gives way to that of the next', async () => {
    const file = await writeFile()
    const broken = { ...GAUGES, statements: [...GAUGES.statements, 'CREATE TABLE runners (id TEXT)'] }
    expect(() => upgrade(file, broken)).toThrow('already exists')
    const { store, close } = openSqliteStore(file, { now: T0 })
    await store.putRunner(reserved(2), T0)
    await close()
    upgrade(file, GAUGES)
    expect(runnersIn(copyBefore(file, KNOWN))).toHaveLength(2)
  })

  it.each<[string, (file: string) => void]>([
    ['another program', (file) => new DatabaseSync(file).exec('CREATE TABLE songs (title TEXT)')],
    [
      'no database at all',
      (file) => writeFileSync(file, 'a text that is long enough to be read as a header '.repeat(9)),
    ],
  ])('is not made in a file of %s, which is refused unchanged', (_, write) => {
    const file = join(temporaryFolder(), 'hub.db')
    write(file)
    const before = readFileSync(file)
    expect(() => openSqliteStore(file, { now: T0 })).toThrow(
      expect.objectContaining({ code: 'store-file-unusable' }),
    )
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(existsSync(`${file}-wal`)).toBe(false)
  })
})

describe('the generation of a token', () => {
  it('starts at 1, and rises with each token that replaces another one', async () => {
    const { store, db } = openBench()
    const generation = () => db.prepare('SELECT token_generation FROM hosts').get()?.['token_generation']
    await addHost(store)
    expect(generation()).toBe(1)
    for (const [tokenHash, expected] of [
      ['second', 2],
      ['second', 2],
      ['third', 3],
    ] as const) {
      await store.replaceToken({ host: H1, tokenHash, now: T0 })
      expect(generation()).toBe(expected)
    }
  })
})

describe('the fence', () => {
  it('that cannot be raised, as another program writes to the file, is told with what to do', async () => {
    const file = join(temporaryFolder(), 'hub.db')
    await openSqliteStore(file, { now: T0 }).close()
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    expect(() => openSqliteStore(file, { now: T0 })).toThrow(
      expect.objectContaining({ code: 'store-file-unusable' }),
    )
    other.close()
  })

  it('L2: of a file that was put back is above every fence that agents can have obeyed since', async () => {
    const file = join(temporaryFolder(), 'hub.db')
    const take = { holder: 'ann', build: 'b', ttlMs: 1_000, handOverAt: null }
    const first = openSqliteStore(file, { now: T0 })
    const taken = await first.store.takeLease({ ...take, now: T0 })
    await first.close()
    const restoredAt = T0 + 3_600_000
    const restored = openSqliteStore(file, { now: restoredAt })
    const again = await restored.store.takeLease({ ...take, now: restoredAt })
    expect(again?.fence).toBe(fence(restoredAt / 1000 + 1))
    expect(again?.fence).toBeGreaterThan(taken?.fence ?? 0)
    await restored.close()
  })
})
