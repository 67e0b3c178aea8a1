import { existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { SlipwayError } from '../../core/model/index.ts'
import { createEmptySync, syncFolderSync } from '../../platform/durable-file.ts'
import { SCHEMA_STEPS, type SchemaStep } from './schema.ts'

/** "slip", in the header of the file: tells a database of ours from any other. */
const APPLICATION_ID = 0x73_6c_69_70

/**
 * Brings the file to the newest schema, in one transaction, after a copy of it was kept. A file of a newer schema is
 * left as it is, and used, where it names this schema as one that may read it.
 *
 * Throws `store-too-new`, or `store-file-unusable` for a database that is not ours; the file is unchanged then.
 */
export function migrate(db: DatabaseSync, file: string, steps: readonly SchemaStep[] = SCHEMA_STEPS): void {
  const version = pragma(db, 'user_version')
  assertOurs(db, file)
  if (version > steps.length) assertMayRead(db, file, { version, known: steps.length })
  if (version >= steps.length) return
  if (version > 0) keepCopy(db, file, version)
  db.exec('BEGIN IMMEDIATE')
  try {
    takeSteps(db, steps, version)
    db.exec('COMMIT')
  } catch (thrown) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw thrown
  }
}

/** The schema of a file that `migrate` has seen. */
export function schemaVersion(db: DatabaseSync): number {
  return pragma(db, 'user_version')
}

/** Where the file is kept as it was before it left that schema. */
export function copyBefore(file: string, version: number): string {
  return `${file}.schema-${version}`
}

function takeSteps(db: DatabaseSync, steps: readonly SchemaStep[], from: number): void {
  for (const { statements, oldestReader } of steps.slice(from)) {
    for (const statement of statements) db.exec(statement)
    db.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('oldest_reader', ?)").run(
      String(oldestReader),
    )
  }
  db.exec(`PRAGMA user_version = ${steps.length}`)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
}

/** Whole under its name or not there; a copy of an earlier attempt is replaced, because the file may have moved on. */
function keepCopy(db: DatabaseSync, file: string, version: number): void {
  const copy = copyBefore(file, version)
  const partial = `${copy}.partial`
  rmSync(partial, { force: true })
  createEmptySync(partial)
  db.prepare('VACUUM INTO ?').run(partial)
  renameSync(partial, copy)
  syncFolderSync(dirname(copy))
}

function assertOurs(db: DatabaseSync, file: string): void {
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  const isOurs = pragma(db, 'application_id') === APPLICATION_ID && pragma(db, 'user_version') > 0
  if (isOurs || (isEmpty && pragma(db, 'user_version') === 0)) return
  throw new SlipwayError(
    'store-file-unusable',
    `${file} is a database of another program. Move it away, or choose another folder by SLIPWAY_STATE_DIR.`,
  )
}

function assertMayRead(
  db: DatabaseSync,
  file: string,
  { version, known }: { readonly version: number; readonly known: number },
): void {
  const oldest = Number(db.prepare("SELECT value FROM meta WHERE name = 'oldest_reader'").get()?.['value'])
  if (oldest <= known) return
  throw new SlipwayError(
    'store-too-new',
    `${file} was written by a newer version of Slipway (schema ${version}; this version knows schema ${known}). ` +
      `Start that newer version again. To go back for good, ${howToGoBack(file, known)}`,
  )
}

/** The newest copy that this version can open; its upgrade may have skipped this version's own schema. */
function howToGoBack(file: string, known: number): string {
  const versions = Array.from({ length: known }, (_, index) => known - index)
  const copy = versions.map((version) => copyBefore(file, version)).find((path) => existsSync(path))
  if (copy === undefined)
    return 'put a backup of this version in its place: no copy from before the upgrade was kept.'
  return `${howToReplace(file, copy)} What was recorded since then is lost.`
}

/** The files beside it go too: SQLite would bring their newer pages back into the copy. */
export function howToReplace(file: string, copy: string): string {
  return `stop the hub, remove ${file}, ${file}-wal and ${file}-shm, and copy ${copy} to ${file}.`
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}
