import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const LINUX_BOOT_ID = '/proc/sys/kernel/random/boot_id'
/** `sysctl` answers in milliseconds; more means that the machine is in trouble. */
const SYSCTL_TIMEOUT_MS = 5_000

/** An id that this machine's kernel makes at each boot; containers see the id of the machine that they run on. */
export async function machineBootId(): Promise<string> {
  if (process.platform !== 'darwin') return (await readFile(LINUX_BOOT_ID, 'utf8')).trim()
  const { stdout } = await promisify(execFile)('sysctl', ['-n', 'kern.bootsessionuuid'], {
    timeout: SYSCTL_TIMEOUT_MS,
  })
  return stdout.trim()
}
