import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../adapters/sqlite/index.ts'
import { type OpenStore, T0 } from '../contract/store-fixtures.ts'

/** A store on a file in a folder of its own, which goes when the store is closed. */
export async function openTemporarySqlite(): Promise<OpenStore & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-sqlite-'))
  const file = join(folder, 'hub.db')
  const { store, close } = openSqliteStore(file, { now: T0 })
  return {
    store,
    file,
    async close() {
      await close()
      await rm(folder, { recursive: true })
    },
  }
}
