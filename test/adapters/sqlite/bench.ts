import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { createSqliteStore } from '../../../adapters/sqlite/index.ts'
import { prepareDatabase } from '../../../adapters/sqlite/open-database.ts'
import type { FleetStore } from '../../../core/ports/index.ts'

/** A folder of the running test's own. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A database that tells of its commits, and fails them when a test says so. */
export class WatchedDatabase extends DatabaseSync {
  readonly events: string[] = []
  failsToCommit = false

  override exec(sql: string): void {
    if (sql === 'COMMIT' && this.failsToCommit) {
      throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR' })
    }
    super.exec(sql)
    if (sql === 'COMMIT') this.events.push('committed')
  }
}

export interface Bench {
  readonly store: FleetStore
  readonly db: WatchedDatabase
  readonly file: string
  /** As another process would read the file now. */
  other(): DatabaseSync
}

/** A store on a file of its own until the running test is over. */
export function openBench(): Bench {
  const file = join(temporaryFolder(), 'hub.db')
  const db = new WatchedDatabase(file)
  const { store, close } = createSqliteStore(prepareDatabase(db, file))
  onTestFinished(close)
  db.events.length = 0
  const others: DatabaseSync[] = []
  onTestFinished(() => {
    for (const other of others) other.close()
  })
  return {
    store,
    db,
    file,
    other() {
      const other = new DatabaseSync(file, { readOnly: true })
      others.push(other)
      return other
    },
  }
}
