/**
 * Stands between the agent and one runner: a process of its own in a session of its own, so that it outlives the
 * agent and sees the runner's exit whatever becomes of the agent. Run as `node shim.ts <folder of the runner>
 * <mark of its start> <mark of its exit>`; what to run comes over stdin, because the environment holds secrets and
 * neither arguments nor files may. One line on stdout says how the start went.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { BoundedLog } from './bounded-log.ts'
import { writeDurablySync } from '../../../platform/durable-file.ts'
import { isErrno } from '../../../platform/errno.ts'
import { FILES } from './layout.ts'
import { birthOf } from './process-birth.ts'

/** What the agent sends over stdin. */
export interface ShimOrder {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly bootId: string
}

/** What the shim answers, as one line of JSON. */
export type ShimAnswer = { readonly started: true } | { readonly started: false; readonly why: string }

/** How long to wait for output that is still in the pipes; a process that left the group may hold them for ever. */
const DRAIN_MAX_MS = 2_000

async function main(folder: string, startedMark: string, exitedMark: string): Promise<void> {
  // Signals to the agent's session don't reach this one; a stray one must not leave the runner unwatched.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, keepOn)
  // The agent that waits for the answer may be gone.
  process.stdout.on('error', keepOn)

  const order: ShimOrder = JSON.parse(await text(process.stdin))
  const child = spawn(order.file, order.args, {
    cwd: join(folder, FILES.work),
    env: order.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid === undefined) {
    const [error] = await once(child, 'error')
    return answer({ started: false, why: String(error) })
  }
  const ended = endOf(child)
  const drained = once(child, 'close')
  const failedWrites = keepOutput(child, new BoundedLog(join(folder, FILES.log)))
  writeDurablySync(
    join(folder, FILES.started),
    JSON.stringify({
      runner: birthOf(child.pid),
      shim: birthOf(process.pid),
      startedAt: Date.now(),
      bootId: order.bootId,
    }),
  )
  writeFileSync(startedMark, '')
  answer({ started: true })

  const exitCode = await ended
  const finishedAt = Date.now()
  killGroup(child.pid)
  await Promise.race([drained, sleep(DRAIN_MAX_MS)])
  const logError = failedWrites[0]?.message ?? null
  writeDurablySync(join(folder, FILES.exit), JSON.stringify({ exitCode, finishedAt, logError }))
  writeFileSync(exitedMark, '')
}

/** Its exit code; 128 and the signal's number for one that a signal ended, as in a container. */
function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? code : 128 + constants.signals[signal]))
  })
}

/** Writes both streams to the log in the order in which they come; after a failed write, drops the rest. */
function keepOutput(child: ChildProcess, log: BoundedLog): readonly Error[] {
  const failures: Error[] = []
  const keep = (chunk: Uint8Array): void => {
    if (failures.length > 0) return
    try {
      log.write(chunk)
    } catch (thrown) {
      failures.push(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return failures
}

/** Kills processes that the runner left behind, as a container would. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (thrown) {
    // Nothing was left.
    if (!isErrno(thrown, 'ESRCH')) throw thrown
  }
}

function answer(said: ShimAnswer): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

/** For events that must not end this process and need nothing else. */
function keepOn(): void {}

const [folder, startedMark, exitedMark] = process.argv.slice(2)
if (folder === undefined || startedMark === undefined || exitedMark === undefined) {
  throw new Error('shim.ts needs a folder and two marks')
}
await main(folder, startedMark, exitedMark)
process.exit(0)
