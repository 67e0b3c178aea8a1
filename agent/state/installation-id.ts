import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SlipwayError, messageOf } from '../../core/model/index.ts'
import type { Randomness } from '../../core/ports/index.ts'
import { writeDurably } from '../../platform/durable-file.ts'
import { isErrno } from '../../platform/errno.ts'

const FORM = /^([0-9a-f]{32}) ([0-9a-f]{64}|unknown)$/

/**
 * The identity of the installation in a data folder, created on first use: 32 hex digits. Containers are labeled with
 * it, so it outlives the agent. It is bound to its machine: on a cloned disk it is made anew, so that the hub can tell
 * the clone from the original (K18: two agents with the state of one). `machineId` null = the machine has none.
 */
export async function openInstallationId(
  dataDir: string,
  machineId: string | null,
  random: Randomness,
): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'install')
  const machine = machineId === null ? 'unknown' : createHash('sha256').update(machineId).digest('hex')
  const stored = await readStored(path)
  const moved =
    stored !== null && stored.machine !== machine && ![stored.machine, machine].includes('unknown')
  if (stored !== null && !moved) return stored.install
  const install = Buffer.from(random.bytes(16)).toString('hex')
  await store(path, `${install} ${machine}\n`)
  return install
}

async function readStored(path: string): Promise<{ install: string; machine: string } | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw unusable(path, error)
  }
  const [, install, machine] = FORM.exec(text.trim()) ?? []
  if (install !== undefined && machine !== undefined) return { install, machine }
  throw new SlipwayError(
    'install-invalid',
    `${path} does not contain the identity of this installation. Restore the file, or remove the whole folder once no container of this agent is left.`,
  )
}

async function store(path: string, text: string): Promise<void> {
  try {
    await writeDurably(path, text)
  } catch (error) {
    throw unusable(path, error)
  }
}

function unusable(path: string, cause: unknown): SlipwayError {
  return new SlipwayError('data-dir-unusable', `The agent cannot use ${path}: ${messageOf(cause)}.`, {
    cause,
  })
}
