import type { Secret } from '../core/model/secret.ts'

/** The two generations of the wire protocol: registration tokens (v1) and runner instances (v2). */
export type ProtocolGeneration = 'v1' | 'v2'

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number

export type SandboxOptions = {
  protocol: ProtocolGeneration
  /** Folder for the journal, created when absent; null keeps everything in memory. */
  dataDir: string | null
  /** 0 (the default) = any free port. */
  port?: number
  /** Default 127.0.0.1; 0.0.0.0 lets containers on a Docker bridge reach the sandbox. */
  host?: string
  /** `sf_pt_` and 43 base64url characters; absent = a random token. Pass the same token after a restart. */
  provisionerToken?: Secret
  /** How long a claimed job may go without a heartbeat before it is lost. Default 60,000. */
  jobLeaseMs?: number
  now?: () => EpochMs
  /** Uniform in [0, 1); affects only the check times of held polls. */
  random?: () => number
  /** Called in order, after the change is durable. Must not throw. */
  onEvent?: (event: SandboxEvent) => void
}

export type NewJob = {
  /** The labels of `runs-on`: 1 to 20. */
  labels: readonly string[]
  /** Run by the runner with `/bin/sh -c`; finds the job's nonce in `SLIPWAY_NONCE`. */
  command: string
}

export type JobOrder = {
  readonly id: string
  /** Canonical: lower case, no duplicates, sorted. */
  readonly labels: readonly string[]
  readonly command: string
  /** Random text that only this job's runner gets, so finding it in the output proves that the job ran. */
  readonly nonce: string
  readonly queuedAt: EpochMs
}

export type JobClaim = {
  readonly claimedAt: EpochMs
  /** The `provider_runner_id` whose session claimed the job. */
  readonly runnerId: string
  readonly cancelRequestedAt: EpochMs | null
}

export type JobResult = {
  readonly endedAt: EpochMs
  /** Null when the command ended by a signal. */
  readonly exitCode: number | null
  /** The last part of the command's output, at most 16 KiB. */
  readonly output: string
  /** Whether `output` contains the nonce. */
  readonly nonceSeen: boolean
}

/**
 * One job, with the facts of its state. `finished`: exit code 0. `cancelled`: ended after a cancellation was requested
 * (`claim` is null if it was not claimed). `lost`: its runner stopped sending heartbeats.
 */
export type Job = JobOrder &
  (
    | { readonly state: 'queued' }
    | ({ readonly state: 'claimed' } & JobClaim)
    | ({ readonly state: 'finished' } & JobClaim & JobResult)
    | ({ readonly state: 'failed'; readonly reason: string } & JobClaim & JobResult)
    | { readonly state: 'cancelled'; readonly endedAt: EpochMs; readonly claim: JobClaim | null }
    | ({ readonly state: 'lost'; readonly endedAt: EpochMs } & JobClaim)
  )

export type JobState = Job['state']

/** Events of the sandbox, in order. A grant has a label set and a number of jobs, not single jobs. */
export type SandboxEvent =
  | { type: 'job.queued'; at: EpochMs; jobId: string; labels: readonly string[] }
  | { type: 'job.claimed'; at: EpochMs; jobId: string; runnerId: string; queuedAt: EpochMs }
  | { type: 'job.finished'; at: EpochMs; jobId: string; runnerId: string; nonceSeen: boolean }
  | { type: 'job.failed'; at: EpochMs; jobId: string; runnerId: string; reason: string }
  | { type: 'job.cancelled'; at: EpochMs; jobId: string; runnerId: string | null }
  | { type: 'job.lost'; at: EpochMs; jobId: string; runnerId: string }
  | {
      type: 'jobs.reserved'
      at: EpochMs
      reservationId: string
      labels: readonly string[]
      count: number
      expiresAt: EpochMs
      /** True if idle runners got the units, so that nothing needs to be launched. */
      adopted: boolean
    }
  | { type: 'runner.registered'; at: EpochMs; runnerId: string; sessionId: string }
  | { type: 'request.failed'; at: EpochMs; method: string; path: string; reason: string }

export type SandboxStats = {
  readonly jobs: Readonly<Record<JobState, number>>
  /** Units of unexpired reservations. */
  readonly reservedUnits: number
  /** Runners whose last reported state is not a terminal one. */
  readonly activeRunners: number
}

/** A running server of the Shipfox provisioner protocol, with one workspace and one provisioner token. */
export type Sandbox = {
  /** Base URL without a trailing slash, as seen from this machine. */
  readonly url: string
  readonly port: number
  readonly token: Secret
  /** Queues all jobs atomically: no poll sees only a part of them. Throws `sandbox-job-invalid`. */
  enqueue(jobs: readonly NewJob[]): readonly Job[]
  /** Every stored job, oldest first. */
  jobs(): readonly Job[]
  /** A queued job is cancelled at once; a claimed one when its runner ends. Throws `sandbox-job-unknown`. */
  cancel(jobId: string): Job
  /** Resolves once no job is queued or claimed; rejects with the signal's reason. */
  waitUntilIdle(signal: AbortSignal): Promise<void>
  stats(): SandboxStats
  /** From now on every provisioner call is answered 401 `provisioner-token-revoked`. */
  revokeToken(): void
  /** From now on every provisioner call is answered 401 `provisioner-token-expired`. */
  expireToken(): void
  /** Stops listening, closes open connections and closes the journal. May be called twice. */
  close(): Promise<void>
}
