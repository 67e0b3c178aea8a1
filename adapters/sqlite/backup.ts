import { closeSync, openSync, renameSync, rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { isErrno } from '../../platform/errno.ts'

/** In one step, so that writes of a busy hub don't make the copy begin repeatedly. */
const ALL_PAGES = 2 ** 31 - 1

/**
 * Copies a database, which may be in use, to a file that does not exist yet: complete and synced, or not there.
 *
 * Throws `backup-exists` for a file that is there, and `backup-failed`.
 */
export async function backupDatabase({ from, to }: { from: string; to: string }): Promise<void> {
  reserve(to)
  const partial = `${to}.partial`
  try {
    const db = new DatabaseSync(from, { readOnly: true })
    try {
      await backup(db, partial, { rate: ALL_PAGES })
    } finally {
      db.close()
    }
    renameSync(partial, to)
  } catch (thrown) {
    rmSync(partial, { force: true })
    rmSync(to, { force: true })
    throw new SlipwayError('backup-failed', `The backup of ${from} to ${to} failed: ${messageOf(thrown)}.`, {
      cause: thrown,
    })
  }
}

/** The name is ours from here on: nobody's file is ever replaced. */
function reserve(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (thrown) {
    const exists = isErrno(thrown, 'EEXIST')
    throw new SlipwayError(
      exists ? 'backup-exists' : 'backup-failed',
      exists
        ? `${file} exists already, and a backup never replaces a file. Choose another name.`
        : `${file} cannot be created: ${messageOf(thrown)}. Choose another place.`,
      { cause: thrown },
    )
  }
}
