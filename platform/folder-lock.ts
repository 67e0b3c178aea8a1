import { randomUUID } from 'node:crypto'
import { link, readdir, rename, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { SlipwayError, messageOf } from '../core/model/index.ts'
import { isErrno } from './errno.ts'

/** The longest path of a Unix socket that every system accepts, in bytes. */
const SOCKET_PATH_MAX_BYTES = 100

export interface Lock {
  /** False: another process has taken the folder over; this one must stop. */
  held(): Promise<boolean>
  release(): Promise<void>
}

/** The kinds of holders; a folder can have one holder of each kind. */
export type LockHolder = 'agent' | 'hub' | 'sandbox'

/**
 * One holder of each kind per folder (K18: a second agent is refused). The lock is a listening Unix socket: the kernel
 * closes it when its process dies, and unlike a process id it works from another container that shares the folder.
 * Throws `agent-locked` (`hub-locked`, …) while another holder is alive.
 */
export async function lockDataDir(dataDir: string, holder: LockHolder = 'agent'): Promise<Lock> {
  const path = join(dataDir, `${holder}.sock`)
  const own = join(dataDir, `.lock-${randomUUID().slice(0, 8)}`)
  if (Buffer.byteLength(address(own)) > SOCKET_PATH_MAX_BYTES) {
    throw new SlipwayError(
      'data-dir-too-long',
      `The path of the data folder ${dataDir} is too long. Use a path of at most 80 bytes, or start Slipway in a folder closer to it.`,
    )
  }
  const server = await listen(own)
  try {
    await claim(path, own, holder)
    await sweepDead(dataDir, own)
  } catch (error) {
    await close(server, own)
    throw error
  }
  const held = (): Promise<boolean> => sameFile(path, own)
  return {
    held,
    async release() {
      if (await held()) await rm(path, { force: true })
      await close(server, own)
    },
  }
}

/** The shorter of the absolute and the relative path, because the path of a socket is limited. */
function address(path: string): string {
  const near = relative(process.cwd(), path)
  return near.length < path.length ? near : path
}

/** Links our socket as the lock, which succeeds for one process only; removes the lock of a dead process first. */
async function claim(path: string, own: string, holder: LockHolder): Promise<void> {
  // Three rounds: a lost round means that another process was claiming or dying at the same time.
  for (let round = 0; round < 3; round += 1) {
    if (await linkNew(own, path)) return
    if (await answers(path)) break
    await clearDead(path, `${own}-dead`)
  }
  throw new SlipwayError(
    `${holder}-locked`,
    `Another ${holder} uses the folder ${dirname(path)}. Stop it first, or set SLIPWAY_STATE_DIR to another folder.`,
  )
}

/** Removes the sockets of killed processes. */
async function sweepDead(dataDir: string, own: string): Promise<void> {
  const left = (await readdir(dataDir)).filter((name) => name.startsWith('.lock-'))
  for (const path of left.map((name) => join(dataDir, name))) {
    if (path !== own && !(await answers(path))) await rm(path, { force: true })
  }
}

/** Moves the dead socket away, and back if it is alive (another process claimed it since the check). */
async function clearDead(path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  if (await answers(aside)) await linkNew(aside, path)
  await rm(aside, { force: true })
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw new SlipwayError('agent-lock-failed', `The lock ${to} can't be created: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

async function sameFile(left: string, right: string): Promise<boolean> {
  try {
    const [one, other] = await Promise.all([stat(left), stat(right)])
    return one.ino === other.ino && one.dev === other.dev
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** Whether a process listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address(path))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (cause) => {
      reject(
        new SlipwayError('agent-lock-failed', `The lock ${path} can't be created: ${messageOf(cause)}.`, {
          cause,
        }),
      )
    })
    // `unref`, because the lock must not keep the process alive.
    server.listen(address(path), () => resolve(server.unref()))
  })
}

async function close(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  await rm(path, { force: true })
}
