import { Secret } from '../../core/model/secret.ts'
import { claimJob, completeJob, heartbeatJob } from '../rules/jobs.ts'
import {
  activate,
  enrolRunner,
  exchangeBootstrap,
  registerRunner,
  requireRegisterToken,
  requireToken,
} from '../rules/sessions.ts'
import type { TokenRow } from '../rules/rows.ts'
import { derivedJobId } from '../rules/world.ts'
import { AssignmentQuery, CompleteBody, EnrolmentBody, ExchangeBody, parse, RegisterBody } from './bodies.ts'
import { type Answer, type Call, holdUntil, isoTime, noContent, ok, type Route } from './call.ts'

/** Interval at which a held request for an assignment checks again. */
const ASSIGNMENT_RECHECK_MS = 250
/** A runner sends this many heartbeats per lease, so that it can miss three. */
const HEARTBEATS_PER_LEASE = 4

type Bearer = { readonly row: TokenRow }

/** A route that requires a token of one kind: `handle` gets the row of the token that was sent. */
function tokenRoute(
  method: Route['method'],
  path: string,
  kind: Exclude<TokenRow['kind'], 'registration' | 'activation' | 'bootstrap'>,
  handle: (call: Call, who: Bearer) => Answer | Promise<Answer>,
  generations: Route['generations'] = ['v1', 'v2'],
): Route {
  const rowOf = (call: Call): TokenRow => requireToken(call.world, call.token, kind, call.now())
  return { method, path, generations, authorize: rowOf, handle: (call) => handle(call, { row: rowOf(call) }) }
}

export const runnerRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/runners/register',
    generations: ['v1', 'v2'],
    authorize: (call) => requireRegisterToken(call.world, call.token, call.now()),
    handle: register,
  },
  {
    method: 'POST',
    path: '/runner-enrollment/exchange',
    generations: ['v2'],
    authorize: () => {},
    handle: exchange,
  },
  tokenRoute('POST', '/runner-control/heartbeat', 'control', () => ok({ ok: true }), ['v2']),
  tokenRoute('POST', '/runner-control/enrollment', 'control', enrol, ['v2']),
  tokenRoute('GET', '/runner-control/assignment', 'control', assignment, ['v2']),
  tokenRoute('POST', '/runners/jobs/request', 'session', requestJob),
  // The protocol's page does not describe what follows a claim, so these two routes exist only in the sandbox.
  tokenRoute('POST', '/runners/jobs/heartbeat', 'lease', heartbeat),
  tokenRoute('POST', '/runners/jobs/complete', 'lease', complete),
]

function register(call: Call): Answer {
  const { labels } = parse(RegisterBody, call.body, 'body')
  const { world, token } = call
  const mode = world.protocol === 'v1' ? 'ephemeral' : 'activation'
  const { session, token: sessionToken } = registerRunner(world, token, labels, call.now())
  return ok({ session_token: sessionToken.reveal(), session_id: session.id, mode, max_claims: 1 })
}

function exchange(call: Call): Answer {
  const body = parse(ExchangeBody, call.body, 'body')
  const { instanceId, control, expiresAt } = exchangeBootstrap(
    call.world,
    new Secret(body.bootstrap_token),
    call.now(),
  )
  const expires = isoTime(expiresAt)
  return ok({ runner_instance_id: instanceId, control_session_token: control.reveal(), expires_at: expires })
}

function enrol(call: Call, { row }: Bearer): Answer {
  const { labels } = parse(EnrolmentBody, call.body, 'body')
  const token = enrolRunner(call.world, row.subject, labels, call.now())
  return ok({ activation_token: token?.reveal() ?? null })
}

async function assignment(call: Call, { row }: Bearer): Promise<Answer> {
  const { wait_seconds: waitSeconds } = parse(AssignmentQuery, Object.fromEntries(call.query), 'querystring')
  const check = (): Secret | null => activate(call.world, row.subject, call.now())
  const pacing = { waitMs: waitSeconds * 1000, pauseMs: () => ASSIGNMENT_RECHECK_MS }
  const token = await holdUntil(check, (found) => found !== null, pacing, call.gone)
  return ok({ activation_token: token?.reveal() ?? null })
}

/** 204 if no job waits. The key `sandbox` exists only here: the command and the heartbeat interval. */
function requestJob(call: Call, { row }: Bearer): Answer {
  const claimed = claimJob(call.world, row.subject, call.now())
  if (claimed === null) return noContent
  const { job, lease } = claimed
  const heartbeatMs = Math.max(1, Math.floor(call.world.jobLeaseMs / HEARTBEATS_PER_LEASE))
  return ok({
    workflow_run_id: derivedJobId(job.id, 'run'),
    workflow_run_attempt_id: derivedJobId(job.id, 'attempt'),
    job_id: job.id,
    job_execution_id: derivedJobId(job.id, 'execution'),
    lease_token: lease.reveal(),
    sandbox: { command: job.command, nonce: job.nonce, heartbeat_interval_ms: heartbeatMs },
  })
}

function heartbeat(call: Call, { row }: Bearer): Answer {
  heartbeatJob(call.world, row.subject, call.now())
  return ok({ ok: true })
}

function complete(call: Call, { row }: Bearer): Answer {
  const body = parse(CompleteBody, call.body, 'body')
  const end = { exitCode: body.exit_code, output: body.output, interrupted: body.interrupted }
  return ok({ state: completeJob(call.world, row.subject, end, call.now()).state })
}
