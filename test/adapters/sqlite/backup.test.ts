import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { backupDatabase, openSqliteStore } from '../../../adapters/sqlite/index.ts'
import { onlineHost, reserved, T0 } from '../../contract/store-fixtures.ts'
import { inOrder } from '../../contract/store-reading.ts'
import { openBench, temporaryFolder } from './bench.ts'

describe('a backup', () => {
  it('holds what was written before it, opens as a hub’s file, and disturbs no write meanwhile', async () => {
    const { store, file } = openBench()
    await onlineHost(store)
    for (let n = 1; n <= 50; n += 1) await store.putRunner(reserved(n), T0)
    const before = inOrder(await store.readFleet())
    const copy = join(dirname(file), 'copy.db')
    const writes = (async () => {
      for (let n = 51; n <= 100; n += 1) await store.putRunner(reserved(n), T0)
    })()
    await backupDatabase({ from: file, to: copy })
    await writes
    expect((await store.readFleet()).runners).toHaveLength(100)
    const opened = openSqliteStore(copy, { now: T0 })
    const restored = inOrder(await opened.store.readFleet())
    expect(restored.hosts).toEqual(before.hosts)
    expect(restored.runners.slice(0, 50)).toEqual(before.runners)
    await opened.close()
  })

  it('never replaces a file', async () => {
    const { file } = openBench()
    const taken = join(dirname(file), 'taken.db')
    writeFileSync(taken, 'mine')
    await expect(backupDatabase({ from: file, to: taken })).rejects.toMatchObject({ code: 'backup-exists' })
    expect(readFileSync(taken, 'utf8')).toBe('mine')
  })

  it('leaves a file of the name FILE.partial alone', async () => {
    const { file } = openBench()
    const copy = join(dirname(file), 'copy.db')
    writeFileSync(`${copy}.partial`, 'mine')
    await backupDatabase({ from: file, to: copy })
    expect(readFileSync(`${copy}.partial`, 'utf8')).toBe('mine')
  })

  it('can be read by its owner only, like the database itself', async () => {
    const file = join(temporaryFolder(), 'hub.db')
    const { close } = openSqliteStore(file, { now: T0 })
    const copy = join(dirname(file), 'copy.db')
    await backupDatabase({ from: file, to: copy })
    for (const one of [file, copy]) expect(statSync(one).mode & 0o777).toBe(0o600)
    await close()
  })

  it('that fails leaves no file behind', async () => {
    const folder = temporaryFolder()
    const from = join(folder, 'hub.db')
    writeFileSync(from, 'no database, but a text of some length '.repeat(20))
    const to = join(folder, 'copy.db')
    await expect(backupDatabase({ from, to })).rejects.toMatchObject({ code: 'backup-failed' })
    expect(readdirSync(folder)).toEqual(['hub.db'])
    const away = { from, to: join(folder, 'nowhere', 'copy.db') }
    await expect(backupDatabase(away)).rejects.toMatchObject({ code: 'backup-failed' })
  })
})
