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
 * The whole state of the sandbox, without I/O. The rules read and change it, with the time as an input; afterwards the
 * caller takes the changes (for the journal) and the events (for the observer).
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
  /** Reservations with units left. The sweep removes expired ones, so readers must still check `expiresAt`. */
  readonly openReservations = this.reservations.indexedBy((row) => (row.count > 0 ? 'open' : null))
  readonly runnersByProviderId = this.runners.indexedBy((row) => row.providerRunnerId)
  readonly activeRunners = this.runners.indexedBy((row) => (isTerminal(row.state) ? null : 'active'))
  readonly sessionsByRunner = this.sessions.indexedBy((row) => row.providerRunnerId)
  readonly registrationTokens = this.tokens.indexedBy((row) =>
    row.kind === 'registration' ? row.subject : null,
  )

  /** The last heartbeat of each claimed job. Not stored: a restart renews every lease. */
  readonly heartbeats = new Map<string, EpochMs>()
  /** Time of the provisioner's last call. Not stored: a restart counts as a call. */
  provisionerSeenAt: EpochMs
  /** Registration attempts in the fixed window, by token hash. */
  readonly registerWindows = new Map<string, { startedAt: EpochMs; attempts: number }>()

  constructor(protocol: ProtocolGeneration, jobLeaseMs: number, now: EpochMs) {
    this.protocol = protocol
    this.jobLeaseMs = jobLeaseMs
    this.provisionerSeenAt = now
  }

  /** Restores or deletes a journaled row. False if there is no table of that name. */
  restore([table, id, row]: RowChange): boolean {
    const target = this.#tables().find((candidate) => candidate.name === table)
    if (target === undefined) return false
    if (row === null) target.drop(id)
    else target.restore(row)
    return true
  }

  /** Every row, in an order that restores the indexes. */
  *snapshot(): Iterable<RowChange> {
    for (const table of this.#tables()) {
      for (const row of table.values()) yield [table.name, row.id, row]
    }
  }

  /** After a start: no heartbeats arrived while the server was down, so all leases and timeouts start now. */
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

  /** Creates a token of this kind and stores its hash; the returned text is the only copy. */
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

/** Other ids of a job in the protocol: UUIDs derived from the job's id. */
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

/** The runner that claimed the job; null = not claimed. */
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
