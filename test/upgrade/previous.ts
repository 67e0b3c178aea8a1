import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * Version N−1, for tests of mixed versions: the one in which SQLite became the store of a hub on one machine, so the
 * first whose state a later version must open. A release moves this to its own commit.
 */
const PREVIOUS = '1607719'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

export interface PreviousVersion {
  /** Its command's program, as `bin/slipway.ts` is ours. */
  readonly program: string
  close(): Promise<void>
}

/** Takes that version out of this clone's history. Packages are those of today. */
export async function takeOutPrevious(): Promise<PreviousVersion> {
  await fetchHistory()
  const folder = await mkdtemp(join(tmpdir(), 'slipway-previous-'))
  const archive = join(folder, 'previous.tar')
  await run('git', ['archive', '--format=tar', `--output=${archive}`, PREVIOUS])
  await run('tar', ['x', '-f', archive, '-C', folder])
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'))
  return {
    program: join(folder, 'bin', 'slipway.ts'),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A clone may have been made without its history. */
async function fetchHistory(): Promise<void> {
  const { stdout } = await run('git', ['rev-parse', '--is-shallow-repository'])
  if (stdout.trim() === 'true') await run('git', ['fetch', '--quiet', '--unshallow'])
}

function run(program: string, args: readonly string[]): Promise<{ readonly stdout: string }> {
  return promisify(execFile)(program, args, { cwd: REPOSITORY })
}
