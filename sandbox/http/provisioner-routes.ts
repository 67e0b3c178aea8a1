import type * as z from 'zod'
import { type Call, type Answer, holdUntil, isoTime, ok, type Route } from './call.ts'
import {
  AssignmentsBody,
  AttachBody,
  InstanceParams,
  parse,
  PollBody,
  ReconcileBody,
  RegistrationTokensBody,
  ReportBody,
  RunnerInstancesBody,
} from './bodies.ts'
import { checkDemand, type PollRequest, type PollResult, releaseGrants } from '../rules/demand.ts'
import {
  assignInstances,
  attachProviderRunner,
  countMintRequest,
  mintRegistrationTokens,
  mintRunnerInstances,
} from '../rules/minting.ts'
import { provisionerOf, requireProvisioner } from '../rules/provisioner.ts'
import { type ReconciledRunner, reconcileRunners, reportRunners } from '../rules/reports.ts'
import { claimOf, derivedJobId, type World } from '../rules/world.ts'

/** The longest time that a poll is held; also the default. */
const POLL_WAIT_MAX_SECONDS = 30
/** A held poll checks again after random(0, interval); the interval grows from the first to the last. */
const RECHECK_FIRST_MS = 1000
const RECHECK_GROWTH = 1.5
const RECHECK_LAST_MS = 5000

const route = (
  method: Route['method'],
  path: string,
  handle: Route['handle'],
  generations: Route['generations'] = ['v1', 'v2'],
): Route => ({ method, path: `/provisioners${path}`, generations, authorize, handle })

export const provisionerRoutes: readonly Route[] = [
  route('GET', '/me', me),
  route('POST', '/demand/poll', poll),
  route('POST', '/runner-instances/report', report),
  route('POST', '/runner-instances/reconcile', reconcile),
  route('POST', '/runner-registration-tokens/batch', mintTokens, ['v1']),
  route('POST', '/runner-instances/batch', mintInstances, ['v2']),
  route('POST', '/runner-instances/:runner_instance_id/provider-runner', attach, ['v2']),
  route('POST', '/runner-instances/assignments', assign, ['v2']),
]

/** Refuses a call without the provisioner's token, and records the time of the call. */
export function authorize(call: Call): void {
  requireProvisioner(call.world, call.token, call.now())
}

function me({ world }: Call): Answer {
  const { id, workspaceId } = provisionerOf(world)
  return ok({ id, scope: 'workspace', workspace_id: workspaceId })
}

/** The pause before check `attempt + 1` of a held poll. */
export function recheckPauseMs(attempt: number, random: () => number): number {
  return random() * Math.min(RECHECK_FIRST_MS * RECHECK_GROWTH ** attempt, RECHECK_LAST_MS)
}

async function poll(call: Call): Promise<Answer> {
  const body = parse(PollBody[call.world.protocol], call.body, 'body')
  const request = pollRequest(body)
  const check = (): PollResult => checkDemand(call.world, request, call.now())
  const waitMs = Math.min(body.wait_seconds ?? POLL_WAIT_MAX_SECONDS, POLL_WAIT_MAX_SECONDS) * 1000
  const pacing = { waitMs, pauseMs: (attempt: number) => recheckPauseMs(attempt, call.random) }
  const result = await holdUntil(check, (found) => found.immediate, pacing, call.gone)
  const undo = (): void => releaseGrants(call.world, result.reservations)
  return { ...ok(pollAnswer(call.world, result)), undo }
}

type PollInput = z.infer<(typeof PollBody)['v1']> & { reservation_ttl_seconds?: number | undefined }

function pollRequest(body: PollInput): PollRequest {
  const ttlSeconds = body.reservation_ttl_seconds
  return {
    maxReservations: body.max_reservations,
    reservationTtlMs: ttlSeconds === undefined ? null : ttlSeconds * 1000,
    templates: body.templates.map((template) => ({
      labels: template.labels,
      free: template.available_slots,
    })),
  }
}

function pollAnswer(world: World, result: PollResult): unknown {
  const newlyReserved = world.protocol === 'v2' && result.newlyReserved > 0
  return {
    stats: result.stats.map(({ labels, queued, reserved, oldestQueuedAt }) => {
      return { labels, queued, reserved, oldest_queued_at: isoTime(oldestQueuedAt) }
    }),
    reservations: result.reservations.map(({ id, labels, count, expiresAt }) => {
      return { reservation_id: id, labels, count, expires_at: isoTime(expiresAt) }
    }),
    terminate_provider_runner_ids: result.terminate,
    ...(newlyReserved ? { newly_reserved_count: result.newlyReserved } : {}),
  }
}

function report(call: Call): Answer {
  const { events } = parse(ReportBody[call.world.protocol], call.body, 'body')
  const runnerEvents = events.map((event) => ({
    providerRunnerId: event.provider_runner_id,
    reservationId: event.reservation_id ?? null,
    labels: event.labels,
    state: event.state,
    reason: event.reason ?? null,
    reportedAt: Date.parse(event.reported_at),
  }))
  const { accepted, reservationsReleased } = reportRunners(call.world, runnerEvents, call.now())
  return ok({ accepted, reservations_released: reservationsReleased })
}

function reconcile(call: Call): Answer {
  const body = parse(ReconcileBody, call.body, 'body')
  const { runners, terminatedAbsent } = reconcileRunners(
    call.world,
    body.observed_provider_runner_ids,
    call.now(),
  )
  const intended =
    call.world.protocol === 'v2' && call.headers['x-shipfox-reconcile-intended-reservation'] === '1'
  return ok({
    runners: runners.map((row) => reconciledAnswer(call.world, row, intended)),
    terminated_absent_provider_runner_ids: terminatedAbsent,
  })
}

function reconciledAnswer(world: World, row: ReconciledRunner, intended: boolean): unknown {
  const { runner } = row
  return {
    provider_runner_id: row.providerRunnerId,
    state: runner?.state ?? null,
    reservation_id: runner?.reservationId ?? null,
    runner_session_id: runner?.sessionId ?? null,
    bound_job: boundJobAnswer(world, row),
    desired_intent: row.terminate ? 'terminate' : 'keep',
    ...(intended ? { intended_reservation_id: runner?.intendedReservationId ?? null } : {}),
  }
}

function boundJobAnswer(world: World, { job }: ReconciledRunner): unknown {
  const claim = job === null ? null : claimOf(job)
  if (job === null || claim === null) return null
  const heardAt = world.heartbeats.get(job.id) ?? ('endedAt' in job ? job.endedAt : job.queuedAt)
  return {
    job_id: job.id,
    workflow_run_attempt_id: derivedJobId(job.id, 'attempt'),
    last_heartbeat_at: isoTime(heardAt),
    cancellation_requested_at: claim.cancelRequestedAt === null ? null : isoTime(claim.cancelRequestedAt),
  }
}

/** Every request counts against the mint limit, also an invalid one. */
function mintTokens(call: Call): Answer {
  countMintRequest(call.world, call.now())
  const body = parse(RegistrationTokensBody, call.body, 'body')
  const runnerIds = body.runner_instances.map((entry) => entry.provider_runner_id)
  const tokens = mintRegistrationTokens(call.world, body.reservation_id, runnerIds, call.now())
  return ok({
    tokens: tokens.map(({ providerRunnerId, token, expiresAt }) => ({
      provider_runner_id: providerRunnerId,
      registration_token: token.reveal(),
      expires_at: isoTime(expiresAt),
    })),
  })
}

function mintInstances(call: Call): Answer {
  const body = parse(RunnerInstancesBody, call.body, 'body')
  const entries = body.runner_instances.map((entry) => ({ reservationId: entry.reservation_id ?? null }))
  const { instances, reservationUnavailable } = mintRunnerInstances(call.world, entries, call.now())
  return ok({
    runner_instances: instances.map(({ instanceId, token, requestIndex }) => {
      return { runner_instance_id: instanceId, bootstrap_token: token.reveal(), request_index: requestIndex }
    }),
    ...(reservationUnavailable ? { reservation_unavailable: true } : {}),
  })
}

function attach(call: Call): Answer {
  const { runner_instance_id: instanceId } = parse(InstanceParams, call.params, 'params')
  const body = parse(AttachBody, call.body, 'body')
  return ok({ attached: attachProviderRunner(call.world, instanceId, body.provider_runner_id) })
}

function assign(call: Call): Answer {
  const body = parse(AssignmentsBody, call.body, 'body')
  assignInstances(call.world, body.reservation_id, body.runner_instance_ids, call.now())
  return ok({ runner_instance_ids: body.runner_instance_ids })
}
