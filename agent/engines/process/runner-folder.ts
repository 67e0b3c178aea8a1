import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolderSync, writeDurablySync } from '../../../platform/durable-file.ts'
import { isErrno } from '../../../platform/errno.ts'
import { FILES, type Layout } from './layout.ts'
import type { SpecRecord } from './records.ts'

/** Names that are not runner ids, so that a half-created or half-removed folder is not taken for a runner. */
const UNFINISHED = '.new-'
const REMOVING = '.removing-'

/** Makes the folder of a runner, with its spec in it or not at all. False: there is one of that name. */
export async function makeRunnerFolder(layout: Layout, spec: SpecRecord): Promise<boolean> {
  const unfinished = join(layout.runners, `${UNFINISHED}${spec.runner}`)
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(join(unfinished, FILES.work), { recursive: true })
  writeDurablySync(join(unfinished, FILES.spec), JSON.stringify(spec))
  try {
    await rename(unfinished, layout.folder(spec.runner))
  } catch (thrown) {
    if (!isErrno(thrown, 'ENOTEMPTY', 'EEXIST')) throw thrown
    await rm(unfinished, { recursive: true, force: true })
    return false
  }
  syncFolderSync(layout.runners)
  return true
}

/** Renames the folder in one step, so that a crash never leaves half a runner, and then deletes it. */
export async function removeRunnerFolder(layout: Layout, runner: SpecRecord['runner']): Promise<void> {
  const removing = join(layout.runners, `${REMOVING}${runner}`)
  await rm(removing, { recursive: true, force: true })
  await rename(layout.folder(runner), removing)
  syncFolderSync(layout.runners)
  await rm(removing, { recursive: true, force: true })
}

/** Claims the only attempt to start a runner. False: it was claimed before. */
export async function claimStart(folder: string): Promise<boolean> {
  try {
    await using file = await open(join(folder, FILES.claim), 'wx')
    await file.sync()
  } catch (thrown) {
    if (isErrno(thrown, 'EEXIST')) return false
    throw thrown
  }
  syncFolderSync(folder)
  return true
}

/** Gives the claim back after a start that certainly had no effect. */
export async function unclaimStart(folder: string): Promise<void> {
  await rm(join(folder, FILES.claim), { force: true })
}
