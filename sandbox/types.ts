import type { Secret } from '../core/model/secret.ts'

/** The two generations of the wire protocol: registration tokens (v1) and runner instances (v2). */
export type ProtocolGeneration = 'v1' | 'v2'

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number

export type SandboxOptions = {
  protocol: ProtocolGeneration
  /** Folder for the journal, created when absent; null keeps everything in memory. */
  dataDir: string | null
  /** 0 (the default) takes any free port. */
  port?: number
  /** Default 127.0.0.1; 0.0.0.0 lets containers on a Docker bridge reach the sandbox. */
  host?: string
  /** `sf_pt_` and 43 base64url characters. Absent: a random one. A restart passes the same token again. */
  provisionerToken?: Secret
  /** How long a claimed job may go without a heartbeat before it is lost. Default 60,000. */
  jobLeaseMs?: number
  now?: () => EpochMs
  /** Uniform in [0, 1); decides only the re-check times of long polls. */
  random?: () => number
  /** Called after the change is durable, in order. It must not throw. */
  onEvent?: (event: SandboxEvent) => void
}

export type NewJob = {
  /** What `runs-on` asks for: 1 to 20 labels. */
  labels: readonly string[]
  /** Run by the runner with `/bin/sh -c`; finds the job's nonce in `SLIPWAY_NONCE`. */
  command: string
}

export type JobOrder = {
  readonly id: string
  /** Canonical: lower case, no duplicates, sorted. */
  readonly labels: readonly string[]
  readonly command: string
  /** Random text that only this job's runner is told, so finding it in the output proves that the job ran. */
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
  /** Whether the nonce stands in `output`. */
  readonly nonceSeen: boolean
}

/**
 * One job and what is known of it in its state. `finished` is exit code 0; `cancelled` ended after a cancellation
 * was asked for (before a claim, `claim` is null); `lost` stopped sending heartbeats.
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

/** What happens inside the sandbox, in order. A grant names a label set and a number of jobs, never single jobs. */
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
      /** Whether runners that already wait took the units, so that nothing needs to be launched. */
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

/** A running server of the Shipfox provisioner protocol with one workspace and one provisioner token. */
export type Sandbox = {
  /** Base URL without a trailing slash, as seen from this machine. */
  readonly url: string
  readonly port: number
  readonly token: Secret
  /** Queues all jobs at one instant: no poll sees a part of them. Throws `sandbox-job-invalid`. */
  enqueue(jobs: readonly NewJob[]): readonly Job[]
  /** Every job kept, oldest first. */
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
  /** Stops listening, cuts open connections and closes the journal. May be called twice. */
  close(): Promise<void>
}
