import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Docker from 'dockerode'
import type { Summary } from '../../cli/start/run-summary.ts'
import { type LineName, type LineOf, type LogLine, readEvents, readLines } from '../support/log-lines.ts'
import { eventually } from '../support/eventually.ts'

/** The command's program itself: the launcher before it would look after packages, which tests share. */
const PROGRAM = fileURLToPath(new URL('../../bin/slipway.ts', import.meta.url))

export type Env = Readonly<Record<string, string>>

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A `slipway` command under way. */
export class Run {
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  stdout = ''
  stderr = ''
  ending: Ending | null = null

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.ending = { code, signal }
        resolve(this.ending)
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get output(): string {
    return this.stdout + this.stderr
  }

  get summary(): Summary {
    return JSON.parse(this.stdout.trimEnd().split('\n').at(-1) ?? '')
  }

  /** What was logged as JSON so far. */
  lines(): readonly LogLine[] {
    return readLines(this.output)
  }

  /** The lines of one event so far. */
  events<Name extends LineName>(name: Name): readonly LineOf<Name>[] {
    return readEvents(this.output, name)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** As `eventually`, but gives up at once when the command ends before, and shows what it said. */
  async until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
    try {
      return await eventually(what, () => {
        const found = look()
        if (this.ending === null || found) return found
        throw new Error(`The command ended (${JSON.stringify(this.ending)}) before: ${what}`)
      })
    } catch (cause) {
      throw new Error(`${String(cause)}\n${this.#tail()}`, { cause })
    }
  }

  /** The ending; a command that never ends shows what it said. */
  async end(): Promise<Ending> {
    await eventually('the command ends', () => this.ending).catch((cause: unknown) => {
      throw new Error(`${String(cause)}\n${this.#tail()}`, { cause })
    })
    return this.ended
  }

  #tail(): string {
    return `stdout:\n${this.stdout.slice(-3_000)}\nstderr:\n${this.stderr.slice(-6_000)}`
  }
}

/** A folder of its own to run commands in. */
export class Place {
  readonly path: string
  readonly #runs: Run[] = []

  constructor(path: string) {
    this.path = path
  }

  get stateDir(): string {
    return join(this.path, '.slipway')
  }

  /** Runs `slipway` here, with nothing in its environment but `env`, and `input` on its stdin if there is any. */
  slipway(args: readonly string[], env: Env = {}, input: string | null = null): Run {
    return this.node(['--disable-warning=ExperimentalWarning', PROGRAM, ...args], env, input)
  }

  /** The same for any program of Node. */
  node(args: readonly string[], env: Env = {}, input: string | null = null): Run {
    const child = spawn(process.execPath, args, {
      cwd: this.path,
      env: {
        PATH: process.env['PATH'],
        HOME: this.path,
        SLIPWAY_STATE_DIR: this.stateDir,
        ...env,
      },
      stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    child.stdin?.end(input)
    const run = new Run(child)
    this.#runs.push(run)
    return run
  }

  async write(name: string, text: string): Promise<string> {
    const path = join(this.path, name)
    await writeFile(path, text)
    return path
  }

  /** Every file below the folder, by its path in it. */
  async files(): Promise<ReadonlyMap<string, string>> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.path.length + 1))
    const read = async (path: string) => [path, await readFile(join(this.path, path), 'latin1')] as const
    return new Map(await Promise.all(paths.map(read)))
  }

  /** The identities of the agents whose data lies here. */
  async installs(): Promise<readonly string[]> {
    const files = [...(await this.files())].filter(([path]) => path.endsWith('agent/install'))
    return files.map(([, text]) => text.split(' ')[0] ?? '')
  }

  /** What those agents have on the engine, running or not. */
  async containers(): Promise<readonly Docker.ContainerInfo[]> {
    const lists = await Promise.all((await this.installs()).map(containersOf))
    return lists.flat()
  }

  /** Processes that name this folder, in their arguments or environment: commands, and runners without containers. */
  async processes(): Promise<readonly number[]> {
    const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid)
    const told = await Promise.all(pids.map(async (pid) => (await tellOf(pid)).includes(this.path)))
    return pids.filter((_, index) => told[index])
  }

  async close(): Promise<void> {
    for (const run of this.#runs) run.signal('SIGKILL')
    await Promise.all(this.#runs.map(({ ended }) => ended))
    for (const pid of await this.processes()) killIfThere(pid)
    await Promise.all((await this.containers()).map(({ Id }) => removeContainer(Id)))
    await eventually(
      'the processes of this folder are gone',
      async () => (await this.processes()).length === 0,
    )
    await rm(this.path, { recursive: true, force: true })
  }
}

export async function openPlace(): Promise<Place> {
  return new Place(await mkdtemp(join(tmpdir(), 'slipway-e2e-')))
}

const docker = new Docker({ socketPath: '/var/run/docker.sock' })

export async function containersOf(install: string): Promise<readonly Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: { label: [`slipway.install=${install}`] } })
}

/** The engine's own word for which containers started, from now on. */
export interface Starts {
  /** One for each start of a container of this install. */
  of(install: string): readonly { readonly runner: string; readonly template: string }[]
  /** The events as the engine told them, labels included. */
  text(): string
  stop(): void
}

export async function watchStarts(): Promise<Starts> {
  const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start'] } })
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  stream.on('error', () => stream.removeAllListeners('data'))
  return {
    of(install) {
      const lines = text.split('\n').filter((line) => line.includes(install))
      return lines.map((line) => {
        const labels: Record<string, string> = JSON.parse(line).Actor.Attributes
        const { template } = JSON.parse(labels['slipway.origin'] ?? '{}')
        return { runner: labels['slipway.runner'] ?? '', template }
      })
    },
    text: () => text,
    stop: () => 'destroy' in stream && typeof stream.destroy === 'function' && stream.destroy(),
  }
}

/** One that is on its way out already is as good as gone. */
async function removeContainer(id: string): Promise<void> {
  await docker
    .getContainer(id)
    .remove({ force: true, v: true })
    .catch((thrown: { statusCode?: number }) => {
      if (thrown.statusCode !== 404 && thrown.statusCode !== 409) throw thrown
    })
}

/** Empty for a process that is gone, or not ours to read. */
async function tellOf(pid: number): Promise<string> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
  return (await Promise.all([read('cmdline'), read('environ')])).join('\0')
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown
  }
}
