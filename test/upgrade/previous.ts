import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * Version N−1, for tests of mixed versions: the last one before hubs ran on AWS, which was broken in every way of
 * the fault catalogue and is the first that we ask anybody to rely on. A release moves this to its own commit.
 */
export const PREVIOUS = 'ecc8dd1'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

export interface PreviousVersion {
  /** Its command's program, as `bin/slipway.ts` is ours. */
  readonly program: string
  close(): Promise<void>
}

/** Takes that version out of this clone's history. Packages are those of today. */
export async function takeOutPrevious(): Promise<PreviousVersion> {
  const git = promisify(execFile)
  await git('git', ['cat-file', '-e', `${PREVIOUS}^{commit}`], { cwd: REPOSITORY }).catch(
    (cause: unknown) => {
      const what = `The commit ${PREVIOUS}, version N−1 of these tests, is not in this clone. Fetch its history: git fetch --unshallow.`
      throw new Error(what, { cause })
    },
  )
  const folder = await mkdtemp(join(tmpdir(), 'slipway-previous-'))
  await unpack(folder)
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'))
  return {
    program: join(folder, 'bin', 'slipway.ts'),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

function unpack(folder: string): Promise<void> {
  const archive = spawn('git', ['archive', '--format=tar', PREVIOUS], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const tar = spawn('tar', ['x', '-C', folder], { stdio: [archive.stdout, 'inherit', 'inherit'] })
  const ended = [archive, tar].map(
    (child) =>
      new Promise<void>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code) => {
          if (code === 0) resolve()
          else reject(new Error(`${child.spawnfile} ended with exit code ${code}.`))
        })
      }),
  )
  return Promise.all(ended).then(() => undefined)
}
