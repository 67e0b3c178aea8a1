import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LogEventName } from '../../core/model/index.ts'
import type { LineOf } from '../support/log-lines.ts'

/** The command's program itself: the launcher before it looks after packages, which are there. */
const PROGRAM = fileURLToPath(new URL('../../bin/slipway.ts', import.meta.url))
/** Enough of a log to see why it failed. */
const TAIL_LINES = 40
/** Long enough for a profile to be written, where one is asked for. */
const STOP_PATIENCE_MS = 20_000

export interface ProcessPlan {
  /** What Node runs instead of the `slipway` command. */
  readonly program?: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly folder: string
  /** Where a CPU profile is to be written at the end; null = none. */
  readonly profiles: string | null
  /** Where its output is to be kept; null = nowhere. */
  readonly logs: string | null
  readonly onEvent: (line: LineOf<LogEventName>) => void
}

/** A `slipway` command, or the agent's bundle, under way. */
export class SlipwayProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #tail: string[] = []
  readonly #what: string
  #isOver = false

  constructor({ program = PROGRAM, args, env, folder, profiles, logs, onEvent }: ProcessPlan) {
    this.#what = `slipway ${args[0] ?? 'agent'}`
    const profiling = profiles === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
    const flags = ['--disable-warning=ExperimentalWarning', ...profiling]
    this.#child = spawn(process.execPath, [...flags, program, ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, SLIPWAY_LOG: 'json', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl+C on the terminal is for the benchmark, which then ends this one.
      detached: true,
    })
    const name = `${args[0] ?? 'agent'}-${this.#child.pid}.log`
    const file = logs === null ? null : createWriteStream(join(logs, name))
    this.#listen(onEvent, file)
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.#isOver = true
        file?.end()
        resolve()
      })
    })
  }

  /** Throws with the end of its log when it is no longer running. */
  assertRunning(): void {
    if (this.#isOver) throw new Error(`${this.#what} ended by itself.\n${this.tail}`)
  }

  get tail(): string {
    return this.#tail.join('\n')
  }

  /** Resident memory in MB (of a million bytes): now and the most so far. Throws where /proc is not there. */
  async memoryMb(): Promise<{ readonly now: number; readonly peak: number }> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8')
    const read = (name: string): number => {
      const kib = Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
      return Math.round((kib * 1024) / 1e5) / 10
    }
    return { now: read('VmRSS'), peak: read('VmHWM') }
  }

  /** CPU seconds used so far, by itself and the kernel for it. */
  async cpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Clock ticks, of which every Linux tells a hundred a second.
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Asks it to end, and ends it when it doesn't. */
  async stop(): Promise<void> {
    if (this.#isOver) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_PATIENCE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #listen(onEvent: (line: LineOf<LogEventName>) => void, file: WriteStream | null): void {
    const take = (line: string): void => {
      file?.write(`${line}\n`)
      this.#tail.push(line)
      if (this.#tail.length > TAIL_LINES) this.#tail.shift()
      if (line.startsWith('{"at":')) onEvent(JSON.parse(line))
    }
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let pending = ''
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (pending + text).split('\n')
        pending = lines.pop() ?? ''
        for (const line of lines) take(line)
      })
    }
  }
}
