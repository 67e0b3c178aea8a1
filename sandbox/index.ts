import type { Server } from 'node:http'
import { messageOf, SlipwayError } from '../core/model/errors.ts'
import type { Secret } from '../core/model/secret.ts'
import { firstProblem, NewJobs } from './http/bodies.ts'
import { createSandboxServer } from './http/server.ts'
import { forgetfulJournal, type Journal, openJournal } from './journal.ts'
import { cancelJob, enqueueJobs } from './rules/jobs.ts'
import { endProvisionerToken, installProvisioner } from './rules/provisioner.ts'
import { isIdle, sandboxStats } from './rules/stats.ts'
import { sweepLeases, sweepStale } from './rules/sweep.ts'
import { newToken } from './rules/tokens.ts'
import { World } from './rules/world.ts'
import type { EpochMs, Job, NewJob, Sandbox, SandboxEvent, SandboxOptions, SandboxStats } from './types.ts'

export type {
  EpochMs,
  Job,
  JobState,
  NewJob,
  ProtocolGeneration,
  Sandbox,
  SandboxEvent,
  SandboxOptions,
  SandboxStats,
} from './types.ts'

/** Four heartbeats and a margin for a starved container. */
const JOB_LEASE_MS = 60_000
const LEASE_SWEEP_MS = 1000
/** Interval of the real server's job that ends silent runners. */
const STALE_SWEEP_MS = 60_000

/**
 * Starts the sandbox source: a complete server of one generation of the Shipfox provisioner protocol, with its own job
 * queue. Throws `sandbox-token-invalid`, `sandbox-listen`, or a `sandbox-journal-…` error.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const now = options.now ?? Date.now
  const world = new World(options.protocol, options.jobLeaseMs ?? JOB_LEASE_MS, now())
  const journal = options.dataDir === null ? forgetfulJournal() : openJournal(options.dataDir, world)
  const token = options.provisionerToken ?? newToken('provisioner')
  try {
    world.restartLeases(now())
    installProvisioner(world, token)
    journal.commit(world)
    const sandbox = new RunningSandbox({ world, journal, token, now, options })
    await sandbox.listen()
    return sandbox
  } catch (error) {
    journal.close()
    throw error
  }
}

type Parts = {
  readonly world: World
  readonly journal: Journal
  readonly token: Secret
  readonly now: () => EpochMs
  readonly options: SandboxOptions
}

class RunningSandbox implements Sandbox {
  readonly token: Secret
  readonly #parts: Parts
  readonly #server: Server
  readonly #idleWaiters = new Set<() => void>()
  readonly #sweeps: NodeJS.Timeout[]
  #port = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.token = parts.token
    const { world, now, options } = parts
    const commit = (): void => this.#commit()
    const onFailure = (failure: { method: string; path: string; reason: string }): void => {
      options.onEvent?.({ type: 'request.failed', at: now(), ...failure })
    }
    this.#server = createSandboxServer({
      world,
      now,
      random: options.random ?? Math.random,
      commit,
      onFailure,
    })
    this.#sweeps = [
      setInterval(() => this.#sweep(sweepLeases), LEASE_SWEEP_MS),
      setInterval(() => this.#sweep(sweepStale), STALE_SWEEP_MS),
    ]
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    const host = this.#parts.options.host ?? '127.0.0.1'
    return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${this.#port}`
  }

  async listen(): Promise<void> {
    const { port = 0, host = '127.0.0.1' } = this.#parts.options
    try {
      this.#port = await listen(this.#server, port, host)
    } catch (error) {
      for (const sweep of this.#sweeps) clearInterval(sweep)
      const what = `The sandbox can't listen on ${host}:${port}: ${messageOf(error)}. Choose another port.`
      throw new SlipwayError('sandbox-listen', what, { cause: error })
    }
  }

  enqueue(jobs: readonly NewJob[]): readonly Job[] {
    const parsed = NewJobs.safeParse(jobs)
    if (!parsed.success) {
      const what = `A job for the sandbox is invalid: ${firstProblem(parsed.error)}.`
      throw new SlipwayError('sandbox-job-invalid', what, { cause: parsed.error })
    }
    return this.#change((world, now) => enqueueJobs(world, parsed.data, now))
  }

  jobs(): readonly Job[] {
    return [...this.#parts.world.jobs.values()]
  }

  cancel(jobId: string): Job {
    return this.#change((world, now) => cancelJob(world, jobId, now))
  }

  waitUntilIdle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (finish: () => void): void => {
        this.#idleWaiters.delete(check)
        signal.removeEventListener('abort', abort)
        finish()
      }
      const abort = (): void => end(() => reject(toError(signal.reason)))
      const check = (): void => {
        if (isIdle(this.#parts.world)) end(resolve)
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.#idleWaiters.add(check)
      check()
    })
  }

  stats(): SandboxStats {
    return sandboxStats(this.#parts.world, this.#parts.now())
  }

  revokeToken(): void {
    this.#change((world) => endProvisionerToken(world, 'revoked'))
  }

  expireToken(): void {
    this.#change((world) => endProvisionerToken(world, 'expired'))
  }

  async close(): Promise<void> {
    for (const sweep of this.#sweeps) clearInterval(sweep)
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
    this.#parts.journal.close()
  }

  #change<T>(change: (world: World, now: EpochMs) => T): T {
    const result = change(this.#parts.world, this.#parts.now())
    this.#commit()
    return result
  }

  /** Writes the changes to the journal, then emits their events. */
  #commit(): void {
    const { world, journal, options } = this.#parts
    journal.commit(world)
    const events: readonly SandboxEvent[] = world.takeEvents()
    for (const event of events) options.onEvent?.(event)
    if (events.length > 0) for (const check of this.#idleWaiters) check()
  }

  /** A sweep that can't be journaled emits an event; its changes stay in memory until a later commit writes them. */
  #sweep(sweep: (world: World, now: EpochMs) => void): void {
    try {
      this.#change(sweep)
    } catch (error) {
      const at = this.#parts.now()
      this.#parts.options.onEvent?.({
        type: 'request.failed',
        at,
        method: '',
        path: 'sweep',
        reason: messageOf(error),
      })
    }
  }
}

const toError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)))

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
