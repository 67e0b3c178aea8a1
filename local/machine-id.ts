import { readFile } from 'node:fs/promises'

/** What tells this machine from its clones; null = it has nothing to offer. */
export async function machineId(): Promise<string | null> {
  try {
    return (await readFile('/etc/machine-id', 'utf8')).trim() || null
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw thrown
  }
}
