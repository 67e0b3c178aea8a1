import { randomUUID } from 'node:crypto'
import { linkSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { createEmptySync, syncFolder } from '../../platform/durable-file.ts'
import { isErrno } from '../../platform/errno.ts'

/** In one step, so that writes of a busy hub don't make the copy begin repeatedly. */
const ALL_PAGES = 2 ** 31 - 1

/**
 * Copies a database, which may be in use, to a file that does not exist yet: complete and synced, or not there. Only
 * its owner can read it, as it holds the hashes of tokens.
 *
 * Throws `backup-exists` for a file that is there, and `backup-failed`.
 */
export async function backupDatabase({ from, to }: { from: string; to: string }): Promise<void> {
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw exists(to)
  // A name that nobody else has: a file of the name `to`.partial may be somebody's.
  const partial = `${to}.${randomUUID()}.partial`
  try {
    createEmptySync(partial)
    const db = new DatabaseSync(from, { readOnly: true })
    try {
      await backup(db, partial, { rate: ALL_PAGES })
    } finally {
      db.close()
    }
    giveName(partial, to)
    await syncFolder(dirname(to))
  } catch (thrown) {
    if (isErrno(thrown, 'EEXIST')) throw exists(to, thrown)
    throw new SlipwayError('backup-failed', `The backup of ${from} to ${to} failed: ${messageOf(thrown)}.`, {
      cause: thrown,
    })
  } finally {
    rmSync(partial, { force: true })
  }
}

/** A link never replaces a file. Where a file system has none, the name is taken just before it is replaced. */
function giveName(partial: string, to: string): void {
  try {
    linkSync(partial, to)
  } catch (thrown) {
    if (!isErrno(thrown, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw thrown
    createEmptySync(to)
    renameSync(partial, to)
  }
}

function exists(file: string, cause?: unknown): SlipwayError {
  return new SlipwayError(
    'backup-exists',
    `${file} exists already, and a backup never replaces a file. Choose another name.`,
    { cause },
  )
}
