import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { messageOf, type RunnerId } from '../../../core/model/index.ts'
import type { Clock, Log } from '../../../core/ports/index.ts'
import { EngineError, type Engine, type EngineFacts, type EngineRunner, type RunnerSpec } from '../engine.ts'
import { machineBootId } from '../boot-id.ts'
import { keptFacts, RunnerIdText } from '../origin.ts'
import { readBoundedLog } from './bounded-log.ts'
import { watchMarks } from './events.ts'
import { asEngine } from './failure.ts'
import { launchUnderShim } from './launch.ts'
import { FILES, Layout } from './layout.ts'
import { isAlive } from './process-birth.ts'
import { readRecords, toEngineRunner, type RunnerRecords, type SpecRecord } from './records.ts'
import { claimStart, makeRunnerFolder, removeRunnerFolder, unclaimStart } from './runner-folder.ts'
import { isErrno } from '../../../platform/errno.ts'

export interface ProcessEngineOptions {
  /** Holds everything that the engine keeps; made when missing. */
  readonly dir: string
  readonly install: string
  readonly host: string
  /** What a runner runs; `file` is absolute. Arguments are visible to every user of the machine: no secrets. */
  readonly command: (spec: RunnerSpec) => { readonly file: string; readonly args: readonly string[] }
  readonly clock: Clock
  readonly log: Log
}

/** The environment variables that a runner always has, as in a container. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** How long a process may take to be gone after SIGKILL; longer means that it hangs in the kernel. */
const KILL_TIMEOUT_MS = 10_000
/** Short beside any grace, long beside a look at a few small files. */
const POLL_MS = 50
const BYTES_PER_MIB = 1_048_576

export class ProcessEngine implements Engine {
  readonly #options: ProcessEngineOptions
  readonly #layout: Layout
  /** Specs by runner, for the environment that no file may hold; they end with the start. */
  readonly #unstarted = new Map<RunnerId, RunnerSpec>()
  readonly #starting = new Map<RunnerId, Promise<EngineRunner>>()

  constructor(options: ProcessEngineOptions) {
    this.#options = options
    this.#layout = new Layout(options.dir, options)
  }

  describe(): Promise<EngineFacts> {
    return asEngine('describe itself', async () => {
      await this.#prepare()
      return {
        kind: 'process',
        version: process.version,
        bootId: await machineBootId(),
        capacity: {
          cpuMillis: availableParallelism() * 1000,
          memoryMib: Math.floor(totalmem() / BYTES_PER_MIB),
        },
        isolations: ['runc'],
        storage: this.#options.dir,
      }
    })
  }

  list(): Promise<readonly EngineRunner[]> {
    return asEngine('list the runners', async () => {
      const all = await Promise.all((await this.#ids()).map((runner) => this.#readable(runner)))
      return Promise.all(all.filter((records) => records !== null).map((records) => this.#show(records)))
    })
  }

  inspect(runner: RunnerId): Promise<EngineRunner | null> {
    return asEngine(`inspect runner ${runner}`, async () => {
      const records = await this.#read(runner)
      return records === null ? null : this.#show(records)
    })
  }

  create(spec: RunnerSpec): Promise<'created' | 'existed'> {
    return asEngine(`create runner ${spec.runner}`, async () => {
      await this.#prepare()
      const made = await makeRunnerFolder(this.#layout, this.#specRecord(spec))
      const records = await this.#read(spec.runner)
      if (records === null) {
        throw new EngineError('conflict', `The folder of runner ${spec.runner} belongs to another agent.`)
      }
      await writeFile(this.#layout.mark(spec.runner, 'created'), '')
      if (records.started === null) this.#unstarted.set(spec.runner, spec)
      return made ? 'created' : 'existed'
    })
  }

  start(runner: RunnerId): Promise<EngineRunner> {
    const starting =
      this.#starting.get(runner) ??
      asEngine(`start runner ${runner}`, () => this.#startOnce(runner)).finally(() =>
        this.#starting.delete(runner),
      )
    this.#starting.set(runner, starting)
    return starting
  }

  stop(runner: RunnerId, graceMs: number): Promise<void> {
    return asEngine(`stop runner ${runner}`, async () => {
      for (const [signal, waitMs] of [
        ['SIGTERM', graceMs],
        ['SIGKILL', KILL_TIMEOUT_MS],
      ] as const) {
        const records = await this.#read(runner)
        if (records === null || (await this.#show(records)).state !== 'running') return
        const leader = records.started?.runner
        if (leader !== undefined && isAlive(leader)) signalGroup(leader.pid, signal)
        if (await this.#endsWithin(runner, waitMs)) return
      }
      throw new EngineError('unreachable', `Runner ${runner} did not end after SIGKILL.`)
    })
  }

  remove(runner: RunnerId): Promise<void> {
    return asEngine(`remove runner ${runner}`, async () => {
      const records = await this.#read(runner)
      if (records === null) return
      if ((await this.#show(records)).state === 'running') {
        throw new EngineError('refused', `Runner ${runner} is running: stop it before removing it.`)
      }
      await removeRunnerFolder(this.#layout, runner)
      this.#unstarted.delete(runner)
      for (const kind of ['started', 'exited', 'created'] as const) {
        await rm(this.#layout.mark(runner, kind), { force: true })
      }
    })
  }

  logTail(runner: RunnerId, maxBytes: number): Promise<string> {
    return asEngine(`read the log of runner ${runner}`, async () => {
      await this.#mustInspect(runner)
      return readBoundedLog(join(this.#layout.folder(runner), FILES.log), maxBytes)
    })
  }

  examine(runner: RunnerId): Promise<Readonly<Record<string, unknown>>> {
    return asEngine(`examine runner ${runner}`, async () => {
      const records = await this.#read(runner)
      if (records === null) throw noSuchRunner(runner)
      const { spec, started, exit } = records
      return { image: spec.image, createdAt: spec.createdAt, started, exit }
    })
  }

  watch(handlers: Parameters<Engine['watch']>[0], signal: AbortSignal): Promise<void> {
    return asEngine('watch the runners', async () => {
      await this.#prepare()
      await watchMarks(this.#layout.marks, handlers, signal)
    })
  }

  /** Every image is present: what runs is the engine's one command. */
  async image(image: string): Promise<{ readonly id: string; readonly pulledAt: number | null } | null> {
    return { id: image, pulledAt: null }
  }

  async pull(): Promise<void> {}

  async #startOnce(runner: RunnerId): Promise<EngineRunner> {
    const before = await this.#mustInspect(runner)
    if (before.state !== 'created') return before
    const spec = this.#unstarted.get(runner)
    if (spec === undefined) throw neverStarted(runner, 'its environment was lost with the agent that made it')
    const folder = this.#layout.folder(runner)
    if (!(await claimStart(folder))) throw neverStarted(runner, 'an earlier start of it had no answer')
    try {
      await this.#launch(spec)
    } catch (thrown) {
      if (thrown instanceof EngineError && thrown.kind === 'refused') await unclaimStart(folder)
      throw thrown
    }
    this.#unstarted.delete(runner)
    return this.#mustInspect(runner)
  }

  async #launch(spec: RunnerSpec): Promise<void> {
    const { runner } = spec
    const folder = this.#layout.folder(runner)
    const secrets = Object.entries(spec.secretEnv).map(([name, secret]) => [name, secret.reveal()])
    await launchUnderShim(
      this.#options.clock,
      {
        folder,
        startedMark: this.#layout.mark(runner, 'started'),
        exitedMark: this.#layout.mark(runner, 'exited'),
      },
      {
        ...this.#options.command(spec),
        env: {
          PATH: DEFAULT_PATH,
          HOME: join(folder, FILES.work),
          ...spec.env,
          ...Object.fromEntries(secrets),
        },
        bootId: await machineBootId(),
      },
    )
  }

  #specRecord(spec: RunnerSpec): SpecRecord {
    const { runner, origin, ...limits } = keptFacts(spec)
    const { install, host, clock } = this.#options
    return { install, host, runner, origin, limits, image: spec.image, createdAt: clock.now() }
  }

  async #endsWithin(runner: RunnerId, ms: number): Promise<boolean> {
    const { clock } = this.#options
    const until = clock.monotonicMs() + ms
    for (;;) {
      if ((await this.inspect(runner))?.state !== 'running') return true
      if (clock.monotonicMs() >= until) return false
      await clock.sleep(POLL_MS)
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#layout.runners, { recursive: true, mode: 0o700 })
    await mkdir(this.#layout.marks, { recursive: true, mode: 0o700 })
  }

  async #ids(): Promise<readonly RunnerId[]> {
    await this.#prepare()
    const ids = (await readdir(this.#layout.runners)).map((name) => RunnerIdText.safeParse(name))
    return ids.flatMap((id) => (id.success ? [id.data] : []))
  }

  async #show(records: RunnerRecords): Promise<EngineRunner> {
    return toEngineRunner(records, await machineBootId())
  }

  /** Null: absent, or it belongs to another agent. */
  async #read(runner: RunnerId): Promise<RunnerRecords | null> {
    const records = await readRecords(this.#layout.folder(runner))
    const { install, host } = this.#options
    return records?.spec.install === install && records.spec.host === host ? records : null
  }

  /** Logs and skips an unreadable record: only a person can decide what to do about it. */
  async #readable(runner: RunnerId): Promise<RunnerRecords | null> {
    try {
      return await this.#read(runner)
    } catch (thrown) {
      this.#options.log.emit({
        name: 'engine.runner-unreadable',
        folder: this.#layout.folder(runner),
        reason: messageOf(thrown),
        advice: 'Remove the folder by hand once none of its processes runs.',
      })
      return null
    }
  }

  async #mustInspect(runner: RunnerId): Promise<EngineRunner> {
    const found = await this.inspect(runner)
    if (found === null) throw noSuchRunner(runner)
    return found
  }
}

/** The group of a leader that was alive a moment ago. */
function signalGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-leader, signal)
  } catch (thrown) {
    if (!isErrno(thrown, 'ESRCH')) throw thrown
  }
}

function noSuchRunner(runner: RunnerId): EngineError {
  return new EngineError('not-found', `This agent has no folder for runner ${runner}.`)
}

function neverStarted(runner: RunnerId, why: string): EngineError {
  return new EngineError('refused', `Runner ${runner} was never started and can no longer be: ${why}.`)
}
