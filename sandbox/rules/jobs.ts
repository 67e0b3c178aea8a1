import { randomBytes, randomUUID } from 'node:crypto'
import { SlipwayError } from '../../core/model/errors.ts'
import type { Secret } from '../../core/model/secret.ts'
import type { EpochMs, Job, JobClaim, JobOrder, NewJob } from '../types.ts'
import { canonicalLabels, serves } from './labels.ts'
import { Refusal } from './refusal.ts'
import { runnerByProviderId } from './reports.ts'
import { releaseUnit } from './reservations.ts'
import type { SessionRow } from './rows.ts'
import { SESSION_TTL_MS } from './sessions.ts'
import type { World } from './world.ts'

/** How much of a job's output is kept, in characters. */
const OUTPUT_MAX_CHARS = 16_384

type ClaimedJob = Extract<Job, { state: 'claimed' }>

/** The result of a job. Exit code null = ended by a signal; `interrupted` = the runner was stopped. */
export type JobEnd = {
  readonly exitCode: number | null
  readonly output: string
  readonly interrupted: boolean
}

export function enqueueJobs(world: World, jobs: readonly NewJob[], now: EpochMs): readonly Job[] {
  return jobs.map(({ labels, command }) => {
    const order = {
      id: randomUUID(),
      labels: canonicalLabels(labels),
      command,
      nonce: randomBytes(12).toString('hex'),
    }
    const job: Job = { ...order, queuedAt: now, state: 'queued' }
    world.jobs.put(job)
    world.emit({ type: 'job.queued', at: now, jobId: job.id, labels: job.labels })
    return job
  })
}

/** Claims the oldest waiting job that the session's labels serve; null = no such job. */
export function claimJob(
  world: World,
  sessionId: string,
  now: EpochMs,
): { job: ClaimedJob; lease: Secret } | null {
  const session = requireSession(world, sessionId)
  if (session.jobId !== null) throw new Refusal(409, 'runner-session-exhausted')
  const waiting = oldestFor(world, session.labels)
  if (waiting === undefined) return null
  const runnerId = session.providerRunnerId
  const job: ClaimedJob = {
    ...orderOf(waiting),
    state: 'claimed',
    claimedAt: now,
    runnerId,
    cancelRequestedAt: null,
  }
  world.jobs.put(job)
  world.sessions.put({ ...session, jobId: job.id })
  world.heartbeats.set(job.id, now)
  if (world.protocol === 'v2') releaseAtClaim(world, sessionId, session, now)
  world.emit({ type: 'job.claimed', at: now, jobId: job.id, runnerId, queuedAt: job.queuedAt })
  return { job, lease: world.mintToken('lease', job.id, now + SESSION_TTL_MS) }
}

/** v2 releases the unit at the claim; v1 does not, so it counts a claimed job until the reservation expires. */
function releaseAtClaim(world: World, sessionId: string, session: SessionRow, now: EpochMs): void {
  const runner =
    runnerByProviderId(world, session.providerRunnerId) ?? world.runners.get(session.providerRunnerId)
  if (runner?.sessionId === sessionId) releaseUnit(world, runner, now)
}

function requireSession(world: World, sessionId: string): SessionRow {
  const session = world.sessions.get(sessionId)
  if (session === undefined) throw new Refusal(401, 'unauthorized')
  return session
}

function oldestFor(world: World, labels: readonly string[]): Job | undefined {
  let oldest: Job | undefined
  for (const key of world.queuedJobs.keys()) {
    const job = world.queuedJobs.first(key)
    if (job === undefined || !serves(labels, job.labels)) continue
    if (oldest === undefined || job.queuedAt < oldest.queuedAt) oldest = job
  }
  return oldest
}

/** Extends the lease of a claimed job; 409 `job-lease-lost` once the job has ended. */
export function heartbeatJob(world: World, jobId: string, now: EpochMs): void {
  if (world.jobs.get(jobId)?.state !== 'claimed') throw new Refusal(409, 'job-lease-lost')
  world.heartbeats.set(jobId, now)
}

/** Ends a claimed job with its result. A repeated result gets the same answer; a lost job gets 409 `job-lease-lost`. */
export function completeJob(world: World, jobId: string, end: JobEnd, now: EpochMs): Job {
  const job = world.jobs.get(jobId)
  if (job === undefined || job.state === 'lost' || job.state === 'queued')
    throw new Refusal(409, 'job-lease-lost')
  if (job.state !== 'claimed') return job
  const ended = endedJob(job, end, now)
  closeJob(world, ended)
  return ended
}

function endedJob(job: ClaimedJob, end: JobEnd, now: EpochMs): Job {
  const { exitCode } = end
  if (end.interrupted && job.cancelRequestedAt !== null) return cancelledJob(job, claimOnly(job), now)
  const output = end.output.slice(-OUTPUT_MAX_CHARS)
  const result = { endedAt: now, exitCode, output, nonceSeen: output.includes(job.nonce) }
  const ran = { ...orderOf(job), ...claimOnly(job), ...result }
  if (exitCode === 0 && !end.interrupted) return { ...ran, state: 'finished' }
  const how = exitCode === null ? 'the command ended by a signal' : `the command exited with ${exitCode}`
  return { ...ran, state: 'failed', reason: end.interrupted ? 'the runner was stopped' : how }
}

/** Cancels a waiting job at once; for a claimed job, asks its runner's provisioner to end it. */
export function cancelJob(world: World, jobId: string, now: EpochMs): Job {
  const job = world.jobs.get(jobId)
  if (job === undefined) {
    throw new SlipwayError(
      'sandbox-job-unknown',
      `The sandbox has no job "${jobId}". List its jobs to find the id.`,
    )
  }
  if (job.state === 'claimed') {
    const asked = { ...job, cancelRequestedAt: job.cancelRequestedAt ?? now }
    world.jobs.put(asked)
    return asked
  }
  if (job.state !== 'queued') return job
  const cancelled = cancelledJob(job, null, now)
  closeJob(world, cancelled)
  return cancelled
}

/** Ends claimed jobs whose runner sent no heartbeat for the whole lease. */
export function loseSilentJobs(world: World, now: EpochMs): void {
  for (const job of world.jobsByState.all('claimed')) {
    if (job.state !== 'claimed') continue
    const heard = world.heartbeats.get(job.id) ?? now
    if (now - heard < world.jobLeaseMs) continue
    const claim = claimOnly(job)
    const lost: Job = { ...orderOf(job), ...claim, state: 'lost', endedAt: now }
    closeJob(world, job.cancelRequestedAt === null ? lost : cancelledJob(job, claim, now))
  }
}

function cancelledJob(job: JobOrder, claim: JobClaim | null, now: EpochMs): Job {
  return { ...orderOf(job), state: 'cancelled', endedAt: now, claim }
}

/** Stores an ended job and emits its event. */
function closeJob(world: World, job: Job): void {
  world.jobs.put(job)
  world.heartbeats.delete(job.id)
  const { id: jobId } = job
  if (job.state === 'finished') {
    world.emit({
      type: 'job.finished',
      at: job.endedAt,
      jobId,
      runnerId: job.runnerId,
      nonceSeen: job.nonceSeen,
    })
  } else if (job.state === 'failed') {
    world.emit({ type: 'job.failed', at: job.endedAt, jobId, runnerId: job.runnerId, reason: job.reason })
  } else if (job.state === 'cancelled') {
    world.emit({ type: 'job.cancelled', at: job.endedAt, jobId, runnerId: job.claim?.runnerId ?? null })
  } else if (job.state === 'lost') {
    world.emit({ type: 'job.lost', at: job.endedAt, jobId, runnerId: job.runnerId })
  }
}

const orderOf = ({ id, labels, command, nonce, queuedAt }: JobOrder): JobOrder => ({
  id,
  labels,
  command,
  nonce,
  queuedAt,
})
const claimOnly = ({ claimedAt, runnerId, cancelRequestedAt }: JobClaim): JobClaim => ({
  claimedAt,
  runnerId,
  cancelRequestedAt,
})
