import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/*
 * Files that survive a crash of this process and a power cut whole: written beside their place, flushed to the disk,
 * renamed into place, and their folder flushed. Readable by their owner alone. Errors are those of Node's file system.
 */

/** Puts a file in the place of one that may be there: at any time either the old content is there or the new one. */
export function writeDurablySync(path: string, content: string | Uint8Array): void {
  const unfinished = unfinishedPath(path)
  const file = openSync(unfinished, 'w', 0o600)
  try {
    writeFileSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(unfinished, path)
  syncFolderSync(dirname(path))
}

/** As `writeDurablySync`, without blocking the event loop. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  await rename(await writeBeside(path, content), path)
  await syncFolder(dirname(path))
}

/** The first half of `writeDurably`, for a caller that has to do something before the rename; resolves with the path. */
export async function writeBeside(path: string, content: string | Uint8Array): Promise<string> {
  const unfinished = unfinishedPath(path)
  await using file = await open(unfinished, 'w', 0o600)
  await file.writeFile(content)
  await file.sync()
  return unfinished
}

/** Makes an empty file for another program to fill, such as a database. Throws EEXIST where a file is there. */
export function createEmptySync(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
}

/** Flushes the names that were made in a folder, or removed from it. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** As `syncFolder`. */
export function syncFolderSync(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function unfinishedPath(path: string): string {
  return `${path}.unfinished`
}
