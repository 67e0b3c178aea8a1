import { mkdir, readFile, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BootstrapError } from './errors.mjs'

const POLL_MS = 100

/** Longer than a slow `npm ci` or an engine installation. */
const WAIT_MAX_MS = 15 * 60_000

let serial = 0

/**
 * Runs `work` while no other process on this machine holds the same lock directory. The lock of a dead process is taken
 * over. `onWait(pid)` is called once if another process holds the lock.
 *
 * The lock is a directory with one file, named after its owner. It is created by a rename, which succeeds only if the
 * directory does not exist or is empty; taking it over means to unlink exactly the dead owner's file. So two processes
 * can never both get it.
 */
export async function withLock(directory, work, { onWait = () => {}, waitMaxMs = WAIT_MAX_MS } = {}) {
  const owner = await identify(process.pid)
  await acquire({ directory, owner, onWait, waitMaxMs })
  try {
    return await work()
  } finally {
    await unlink(join(directory, owner)).catch(ignore('ENOENT'))
    await rmdir(directory).catch(ignore('ENOENT', 'ENOTEMPTY', 'EEXIST'))
  }
}

async function acquire({ directory, owner, onWait, waitMaxMs }) {
  const deadline = Date.now() + waitMaxMs
  let hasWaited = false
  while (!(await tryAcquire(directory, owner))) {
    const holder = await dropDeadHolder(directory)
    if (!holder) continue
    if (!hasWaited) onWait(pidOf(holder))
    hasWaited = true
    if (Date.now() > deadline) throw new BootstrapError(describeTimeout(directory, holder, waitMaxMs))
    await sleep(POLL_MS)
  }
}

async function tryAcquire(directory, owner) {
  const prepared = `${directory}.${owner}.${++serial}`
  await mkdir(dirname(directory), { recursive: true })
  await mkdir(prepared)
  await writeFile(join(prepared, owner), '')
  try {
    await rename(prepared, directory)
    return true
  } catch (error) {
    await rm(prepared, { recursive: true })
    ignore('ENOTEMPTY', 'EEXIST')(error)
    return false
  }
}

/** The name of the live holder; undefined if there is none, so that acquiring can be retried. */
async function dropDeadHolder(directory) {
  const [holder] = (await readdir(directory).catch(ignore('ENOENT'))) ?? []
  if (!holder || holder === (await identify(pidOf(holder)))) return holder
  await unlink(join(directory, holder)).catch(ignore('ENOENT'))
  return undefined
}

/** `pid-startTime`: a pid alone may be reused by another process. */
async function identify(pid) {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return `${pid}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return isAlive(pid) ? `${pid}-0` : undefined // no /proc on this system, or no such process
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function pidOf(owner) {
  return Number.parseInt(owner, 10)
}

function ignore(...codes) {
  return (error) => {
    if (!codes.includes(error.code)) throw error
  }
}

function describeTimeout(directory, holder, waitMaxMs) {
  return (
    `Process ${pidOf(holder)} has held ${directory} for more than ${Math.round(waitMaxMs / 1000)} s. ` +
    'Wait for it or stop it, then run this command again.'
  )
}
