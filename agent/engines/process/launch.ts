import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import type { Clock } from '../../../core/ports/index.ts'
import { EngineError } from '../engine.ts'
import { FILES } from './layout.ts'
import type { ShimOrder } from './shim.ts'

/** Starting Node takes a fraction of a second, and many times that on a machine that is busy to the last. */
const ANSWER_TIMEOUT_MS = 30_000
/** The end of a stack trace. */
const SHIM_LOG_SHOWN_CHARS = 1_000
const SHIM = fileURLToPath(new URL('shim.ts', import.meta.url))

const Answer = z.discriminatedUnion('started', [
  z.object({ started: z.literal(true) }),
  z.object({ started: z.literal(false), why: z.string() }),
])

/** Starts a runner under a shim of its own. Throws `refused` when it surely doesn't run, `unreachable` when unsure. */
export async function launchUnderShim(
  clock: Clock,
  paths: { folder: string; startedMark: string; exitedMark: string },
  order: ShimOrder,
): Promise<void> {
  const shimLog = join(paths.folder, FILES.shimLog)
  const errors = openSync(shimLog, 'a', 0o600)
  const shim = spawn(process.execPath, [SHIM, paths.folder, paths.startedMark, paths.exitedMark], {
    detached: true,
    env: {},
    stdio: ['pipe', 'pipe', errors],
  })
  closeSync(errors)
  const { stdin, stdout } = shim
  if (stdin === null || stdout === null) throw new EngineError('refused', 'The shim has no pipes.')
  const failed = new Promise<never>((_, reject) => {
    shim.once('error', reject)
  })
  // A shim that ended early closes its stdin: its answer, or the lack of one, says more.
  stdin.once('error', () => stdin.destroy())
  const answered = new AbortController()
  const late = clock.sleep(ANSWER_TIMEOUT_MS, answered.signal).then(() => null)
  try {
    stdin.end(JSON.stringify(order))
    const line = await Promise.race([firstLine(stdout), failed, late])
    if (line === null)
      throw new EngineError('unreachable', 'The shim did not report in time whether the runner started.')
    await check(line, shimLog)
  } finally {
    answered.abort()
    stdout.destroy()
    shim.unref()
  }
}

/** The shim keeps its end open for as long as it lives, so the end of the stream can't be waited for. */
async function firstLine(stream: Readable): Promise<string> {
  let line = ''
  for await (const chunk of stream) {
    line += String(chunk)
    if (line.includes('\n')) break
  }
  return line
}

async function check(line: string, shimLog: string): Promise<void> {
  const answer = Answer.safeParse(line === '' ? null : JSON.parse(line))
  if (!answer.success) {
    const said = (await readFile(shimLog, 'utf8')).slice(-SHIM_LOG_SHOWN_CHARS)
    throw new EngineError('unreachable', `The shim ended without an answer: ${said}`)
  }
  if (!answer.data.started)
    throw new EngineError('refused', `The runner could not be started: ${answer.data.why}`)
}
