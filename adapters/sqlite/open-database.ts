import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { createEmptySync } from '../../platform/durable-file.ts'
import { howToReplace, migrate } from './migrate.ts'

/** Only a person's own tool can hold the file's lock against us; the event loop stands still while we wait for it. */
const BUSY_MAX_MS = 2_000

/**
 * Opens the file, or creates it, with the newest schema. Each commit returns after its bytes are on disk (WAL with
 * `synchronous=FULL`), and readers in other processes never block it.
 *
 * Throws as `migrate` does, and `store-file-unusable` for a file that SQLite cannot open.
 */
export function openDatabase(file: string): DatabaseSync {
  try {
    // Only its owner can read it, as it holds the hashes of tokens. SQLite gives its other files the same mode.
    if (!existsSync(file)) createEmptySync(file)
    return prepareDatabase(new DatabaseSync(file, { timeout: BUSY_MAX_MS }), file)
  } catch (thrown) {
    if (thrown instanceof SlipwayError) throw thrown
    throw unusable(file, thrown)
  }
}

/** Checks and migrates an open file; closes it where that fails. */
export function prepareDatabase(db: DatabaseSync, file: string): DatabaseSync {
  try {
    migrate(db, file)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = FULL')
    return db
  } catch (thrown) {
    db.close()
    throw thrown
  }
}

export function unusable(file: string, cause: unknown): SlipwayError {
  return new SlipwayError(
    'store-file-unusable',
    `The database ${file} cannot be opened: ${messageOf(cause)}. If another program uses it, end that program; if the ` +
      `file is damaged, ${howToReplace(file, 'a backup')} (\`slipway hub backup\` makes backups.)`,
    { cause },
  )
}
