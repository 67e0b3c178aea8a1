import {
  type DemandAnswer,
  labelsMatch,
  type ObservedRunner,
  type PollRequest,
  type Reservation,
  reservationId,
  type RunnerId,
  type RunnerReport,
  Secret,
  type SourceId,
  sourceId,
  type SourceLimits,
  type WaitingJobs,
} from '../../../core/model/index.ts'
import { type DemandSource, type Mint, type MintRequest, SourceError } from '../../../core/ports/index.ts'
import type { SimClock } from './sim-clock.ts'

interface SimJob {
  readonly labels: readonly string[]
  readonly queuedAt: number
  readonly runMs: number
  state: 'queued' | 'running' | 'done'
}

interface Grant extends Reservation {
  readonly minted: Set<RunnerId>
  /** Units given back or turned into a claimed job. */
  released: number
}

/** Sees what a source is asked and told, before it does anything about it. */
interface SourceChecker {
  mints(source: SimSource, request: MintRequest): void
  tells(source: SimSource, reports: readonly RunnerReport[]): void
}

export const TTL_MS = 60_000
const RECHECK_MS = 250

/** A demand source with honest books: it knows which job ran where, and what every token was used for. */
export class SimSource implements DemandSource {
  readonly id: SourceId
  readonly #clock: SimClock
  readonly jobs: SimJob[] = []
  readonly grants = new Map<string, Grant>()
  /** By token: the runner that it was minted for. */
  readonly tokens = new Map<string, RunnerId>()
  readonly registered = new Map<RunnerId, string>()
  readonly reports = new Map<RunnerId, RunnerReport>()
  readonly reportLog: RunnerReport[] = []
  cancel: RunnerId[] = []
  mintCalls = 0
  fault: (call: 'poll' | 'mint' | 'report' | 'reconcile') => SourceError | null = () => null
  #serial = 0
  readonly #checker: SourceChecker | null

  constructor(clock: SimClock, name = 'sim', checker: SourceChecker | null = null) {
    this.id = sourceId(name)
    this.#clock = clock
    this.#checker = checker
  }

  enqueue(count: number, labels: readonly string[], runMs: number): void {
    for (let index = 0; index < count; index += 1)
      this.jobs.push({ labels, queuedAt: this.#clock.now(), runMs, state: 'queued' })
  }

  get openJobs(): number {
    return this.jobs.filter((job) => job.state !== 'done').length
  }

  async authenticate(): Promise<SourceLimits> {
    return {
      templatesMax: 100,
      mintBatchMax: 500,
      mintCalls: null,
      reservationsMax: 250,
      pollWaitSecondsMax: 30,
      pollIntervalMs: 1_000,
      pollIntervalMaxMs: 5_000,
      reportIntervalMs: 500,
      registrationDeadlineMs: 120_000,
      reservationTtlMs: TTL_MS,
      warm: false,
    }
  }

  async poll(request: PollRequest, signal: AbortSignal): Promise<DemandAnswer> {
    await this.#trip('poll')
    const endsAt = this.#clock.now() + request.waitSeconds * 1_000
    for (;;) {
      const granted = this.#grant(request)
      if (granted.length > 0 || request.maxReservations === 0 || this.#clock.now() >= endsAt)
        return { reservations: granted, waiting: this.#stats(), cancel: this.cancel }
      await this.#clock.sleep(RECHECK_MS, signal)
      if (signal.aborted) throw new SourceError('unknown-outcome', 'The poll was given up.')
    }
  }

  async mint(request: MintRequest): Promise<readonly Mint[]> {
    const { reservation, runners } = request
    this.mintCalls += 1
    await this.#trip('mint')
    this.#checker?.mints(this, request)
    const grant = this.grants.get(reservation ?? '')
    return runners.map(({ id }): Mint => {
      const spent =
        grant === undefined || grant.expiresAt <= this.#clock.now() || grant.minted.size >= grant.count
      if (spent) return { runner: id, ok: false, code: 'reservation-expired', reason: 'No unit is left.' }
      if (grant.minted.has(id))
        return { runner: id, ok: false, code: 'mint-unknown', reason: 'Minted before.' }
      grant.minted.add(id)
      const token = `${this.id}-token-${this.#serial++}`
      this.tokens.set(token, id)
      return { runner: id, ok: true, env: {}, secretEnv: { TOKEN: new Secret(token) } }
    })
  }

  async report(reports: readonly RunnerReport[]): Promise<void> {
    await this.#trip('report')
    this.#checker?.tells(this, reports)
    for (const report of reports) {
      this.reportLog.push(report)
      const before = this.reports.get(report.id)
      if (before !== undefined && isTerminal(before)) continue
      this.reports.set(report.id, report)
      const grant = this.grants.get(report.reservation ?? '')
      if (isTerminal(report) && !this.registered.has(report.id) && grant !== undefined) grant.released += 1
    }
  }

  async reconcile(observed: readonly RunnerId[]): Promise<readonly ObservedRunner[]> {
    await this.#trip('reconcile')
    return observed.map((id) => ({
      id,
      registered: this.registered.has(id),
      jobBound: false,
      cancellationRequested: this.cancel.includes(id),
      ended: false,
    }))
  }

  /** What a container does first. False: the token was used before, or never minted. */
  register(token: string): boolean {
    const runner = this.tokens.get(token)
    if (runner === undefined || this.registered.has(runner)) return false
    this.registered.set(runner, token)
    this.#release(runner)
    return true
  }

  claim(labels: readonly string[]): SimJob | null {
    const job = this.jobs.find((one) => one.state === 'queued' && labelsMatch(one.labels, new Set(labels)))
    if (job === undefined) return null
    job.state = 'running'
    return job
  }

  #release(runner: RunnerId): void {
    for (const grant of this.grants.values()) if (grant.minted.has(runner)) grant.released += 1
  }

  #liveUnits(labels: readonly string[]): number {
    const now = this.#clock.now()
    return [...this.grants.values()]
      .filter((grant) => grant.expiresAt > now && grant.labels.join() === labels.join())
      .reduce((sum, grant) => sum + Math.max(0, grant.count - grant.released), 0)
  }

  #stats(): readonly WaitingJobs[] {
    const sets = new Map(
      this.jobs.filter((job) => job.state === 'queued').map((job) => [job.labels.join(), job.labels]),
    )
    return [...sets.values()].map((labels) => {
      const queued = this.jobs.filter((job) => job.state === 'queued' && job.labels.join() === labels.join())
      const oldestQueuedAt = Math.min(...queued.map((job) => job.queuedAt))
      return { labels, queued: queued.length, reserved: this.#liveUnits(labels), oldestQueuedAt }
    })
  }

  #grant({ capacity, maxReservations }: PollRequest): readonly Reservation[] {
    let left = maxReservations
    return this.#stats().flatMap(({ labels, queued, reserved }) => {
      const room = capacity
        .filter((template) => labelsMatch(labels, new Set(template.labels)))
        .reduce((sum, template) => sum + template.available, 0)
      const count = Math.min(queued - reserved, room, left)
      if (count < 1) return []
      left -= count
      const id = reservationId(`${this.id}-reservation-${this.#serial++}`)
      const grant = {
        id,
        labels,
        count,
        expiresAt: this.#clock.now() + TTL_MS,
        minted: new Set<RunnerId>(),
        released: 0,
      }
      this.grants.set(id, grant)
      return [{ id, labels, count, expiresAt: grant.expiresAt }]
    })
  }

  async #trip(call: 'poll' | 'mint' | 'report' | 'reconcile'): Promise<void> {
    await this.#clock.sleep(5)
    const failure = this.fault(call)
    if (failure !== null) throw failure
  }
}

function isTerminal(report: RunnerReport): boolean {
  return report.state === 'stopped' || report.state === 'failed' || report.state === 'terminated'
}
