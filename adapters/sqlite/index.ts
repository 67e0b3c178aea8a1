import type { DatabaseSync } from 'node:sqlite'
import type { EpochMs } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { GroupCommit } from './group-commit.ts'
import { hostMethods } from './hosts.ts'
import { imageMethods } from './images.ts'
import { leaseMethods, raiseFenceOfRestored } from './lease.ts'
import { livenessMethods } from './liveness.ts'
import { openDatabase, unusable } from './open-database.ts'
import { readingMethods } from './reading.ts'
import { recordMethods } from './records.ts'
import { runnerMethods } from './runners.ts'
import { sessionMethods } from './sessions.ts'
import { slotMethods } from './slots.ts'
import { statusMethods } from './statuses.ts'
import { templateMethods } from './templates.ts'

export { backupDatabase } from './backup.ts'

export interface OpenSqliteStore {
  readonly store: FleetStore
  /** Writes what is waiting, then closes the file. */
  close(): Promise<void>
}

/**
 * The hub's state in one file of this machine, which is created where it is missing. Only one hub may have it open.
 * Throws as `openDatabase` does.
 */
export function openSqliteStore(file: string, { now }: { readonly now: EpochMs }): OpenSqliteStore {
  const db = openDatabase(file)
  try {
    raiseFenceOfRestored(db, now)
    return createSqliteStore(db)
  } catch (thrown) {
    db.close()
    throw unusable(file, thrown)
  }
}

/** The store on an open database that has our schema. */
export function createSqliteStore(db: DatabaseSync): OpenSqliteStore {
  const connection = new GroupCommit(db)
  const store = {
    ...leaseMethods(connection),
    ...hostMethods(connection),
    ...sessionMethods(connection),
    ...slotMethods(connection),
    ...livenessMethods(connection),
    ...imageMethods(connection),
    ...runnerMethods(connection),
    ...templateMethods(connection),
    ...statusMethods(connection),
    ...readingMethods(connection),
    ...recordMethods(connection),
  }
  return { store, close: async () => connection.close() }
}
