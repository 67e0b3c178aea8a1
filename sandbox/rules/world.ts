import { createHash } from 'node:crypto'
import { unreachable } from '../../core/model/errors.ts'
import type { Secret } from '../../core/model/secret.ts'
import type { EpochMs, Job, ProtocolGeneration, SandboxEvent } from '../types.ts'
import { labelsKey } from './labels.ts'
import type { ProvisionerRow, ReservationRow, RunnerRow, SessionRow, TokenRow } from './rows.ts'
import { isTerminal } from './rows.ts'
import { type RowChange, type StoredTable, Table } from './table.ts'
import { hashToken, newToken } from './tokens.ts'

/**
 * Everything the sandbox knows, without any input or output: the rules read and change it with the time as an
 * input, and whoever runs them takes the changes (for the journal) and the events (for the observer) afterwards.
 */
export class World {
  readonly protocol: ProtocolGeneration
  readonly jobLeaseMs: number

  #changes: RowChange[] = []
  #events: SandboxEvent[] = []
  readonly #changed = (change: RowChange): void => void this.#changes.push(change)

  readonly provisioners = new Table<ProvisionerRow>('provisioners', this.#changed)
  readonly jobs = new Table<Job>('jobs', this.#changed)
  readonly reservations = new Table<ReservationRow>('reservations', this.#changed)
  readonly runners = new Table<RunnerRow>('runners', this.#changed)
  readonly sessions = new Table<SessionRow>('sessions', this.#changed)
  readonly tokens = new Table<TokenRow>('tokens', this.#changed)

  /** By canonical label set, oldest first. */
  readonly queuedJobs = this.jobs.indexedBy((job) => (job.state === 'queued' ? labelsKey(job.labels) : null))
  readonly jobsByState = this.jobs.indexedBy((job) => job.state)
  /** Those with units left; expired ones leave by the sweep, so readers still look at `expiresAt`. */
  readonly openReservations = this.reservations.indexedBy((row) => (row.count > 0 ? 'open' : null))
  readonly runnersByProviderId = this.runners.indexedBy((row) => row.providerRunnerId)
  readonly activeRunners = this.runners.indexedBy((row) => (isTerminal(row.state) ? null : 'active'))
  readonly sessionsByRunner = this.sessions.indexedBy((row) => row.providerRunnerId)
  readonly registrationTokens = this.tokens.indexedBy((row) =>
    row.kind === 'registration' ? row.subject : null,
  )

  /** The last heartbeat of each claimed job. Forgotten by a restart, which starts every lease afresh. */
  readonly heartbeats = new Map<string, EpochMs>()
  /** When the provisioner was last heard. Forgotten by a restart, which counts as hearing it. */
  provisionerSeenAt: EpochMs
  /** Attempts to register in the fixed window of each token hash. */
  readonly registerWindows = new Map<string, { startedAt: EpochMs; attempts: number }>()

  constructor(protocol: ProtocolGeneration, jobLeaseMs: number, now: EpochMs) {
    this.protocol = protocol
    this.jobLeaseMs = jobLeaseMs
    this.provisionerSeenAt = now
  }

  /** Puts a journaled row back, or takes it out. False when no table has the name. */
  restore([table, id, row]: RowChange): boolean {
    const target = this.#tables().find((candidate) => candidate.name === table)
    if (target === undefined) return false
    if (row === null) target.drop(id)
    else target.restore(row)
    return true
  }

  /** Every row, in an order that rebuilds the indexes as they are. */
  *snapshot(): Iterable<RowChange> {
    for (const table of this.#tables()) {
      for (const row of table.values()) yield [table.name, row.id, row]
    }
  }

  /** After a start: nothing was heard while the server was away, so every lease and silence begins now. */
  restartLeases(now: EpochMs): void {
    for (const job of this.jobsByState.all('claimed')) this.heartbeats.set(job.id, now)
    this.provisionerSeenAt = now
  }

  emit(event: SandboxEvent): void {
    this.#events.push(event)
  }

  takeChanges(): RowChange[] {
    const changes = this.#changes
    this.#changes = []
    return changes
  }

  takeEvents(): SandboxEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Makes a token of the kind and keeps its hash; the answer is the only copy of the text. */
  mintToken(kind: TokenRow['kind'], subject: string, expiresAt: EpochMs): Secret {
    const token = newToken(kind)
    this.tokens.put({ id: hashToken(token), kind, subject, expiresAt, consumedAt: null })
    return token
  }

  #tables(): readonly StoredTable[] {
    const { provisioners, jobs, reservations, runners, sessions, tokens } = this
    return [provisioners, jobs, reservations, runners, sessions, tokens]
  }
}

/** The ids that the wire shows beside a job's own, each a UUID that follows from it. */
export function derivedJobId(jobId: string, which: 'run' | 'attempt' | 'execution'): string {
  const hex = createHash('sha256').update(`${which}:${jobId}`).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

/** The runner that claimed the job, or null where none did. */
export function claimOf(job: Job): { runnerId: string; cancelRequestedAt: EpochMs | null } | null {
  switch (job.state) {
    case 'queued':
      return null
    case 'cancelled':
      return job.claim
    case 'claimed':
    case 'finished':
    case 'failed':
    case 'lost':
      return job
    default:
      return unreachable(job)
  }
}
