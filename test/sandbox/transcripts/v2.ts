import type { Step, Transcript } from '../transcript.ts'

const ONLY = ['v2'] as const
const POLL = 'POST /provisioners/demand/poll'
const MINT = 'POST /provisioners/runner-instances/batch'
const oneTemplate = (slots: number): unknown => ({
  template_key: 't',
  labels: ['linux'],
  available_slots: slots,
  starting: 0,
  running: 0,
})
const poll = (slots: number, extra: Record<string, unknown> = {}): unknown => ({
  wait_seconds: 0,
  max_reservations: 10,
  templates: [oneTemplate(slots)],
  ...extra,
})

const queueOne: Step = {
  does: 'queues a job',
  request: 'POST /sandbox/jobs',
  body: { jobs: [{ labels: ['linux'], command: 'echo one' }] },
  status: 201,
  answer: {
    jobs: [
      {
        id: '<uuid:one>',
        labels: ['linux'],
        command: 'echo one',
        nonce: '<nonce>',
        queuedAt: 1767225600000,
        state: 'queued',
      },
    ],
  },
}

const grantOne = (ttlSeconds: number | undefined, expiresAt: string): Step => ({
  does: `grants it until ${expiresAt}`,
  request: POLL,
  body: poll(5, ttlSeconds === undefined ? {} : { reservation_ttl_seconds: ttlSeconds }),
  status: 200,
  answer: {
    stats: [{ labels: ['linux'], queued: 1, reserved: 1, oldest_queued_at: '2026-01-01T00:00:00.000Z' }],
    reservations: [
      { reservation_id: '<uuid:reservation>', labels: ['linux'], count: 1, expires_at: expiresAt },
    ],
    terminate_provider_runner_ids: [],
    newly_reserved_count: 1,
  },
})

const enrolBody = { labels: ['linux'], provider_kind: 'docker', protocol_version: 1 }
const unknownId = '00000000-0000-4000-8000-000000000000'

export const v2Transcripts: readonly Transcript[] = [
  {
    tells: 'the way from demand to a finished job',
    generations: ONLY,
    steps: [
      queueOne,
      grantOne(undefined, '2026-01-01T00:01:00.000Z'),
      {
        does: 'mints the instance, a warm one, and leaves out what has no room',
        request: MINT,
        body: {
          provider_kind: 'docker',
          runner_instances: [
            { reservation_id: '{{reservation}}', template_key: 't' },
            { reservation_id: '{{reservation}}' },
            { reservation_id: unknownId },
            {},
          ],
        },
        status: 200,
        answer: {
          runner_instances: [
            { runner_instance_id: '<uuid:instance>', bootstrap_token: '<bootstrap:token>', request_index: 0 },
            { runner_instance_id: '<uuid:warm>', bootstrap_token: '<bootstrap:warmToken>', request_index: 3 },
          ],
          reservation_unavailable: true,
        },
      },
      {
        does: 'attaches',
        request: 'POST /provisioners/runner-instances/{{instance}}/provider-runner',
        body: { provider_runner_id: 'runner-1' },
        status: 200,
        answer: { attached: true },
      },
      {
        does: 'attaches once only',
        request: 'POST /provisioners/runner-instances/{{instance}}/provider-runner',
        body: { provider_runner_id: 'runner-1' },
        status: 200,
        answer: { attached: false },
      },
      {
        does: 'attaches no unknown instance',
        request: `POST /provisioners/runner-instances/${unknownId}/provider-runner`,
        body: { provider_runner_id: 'x' },
        status: 200,
        answer: { attached: false },
      },
      {
        does: 'breaks on an id that another instance has',
        request: 'POST /provisioners/runner-instances/{{warm}}/provider-runner',
        body: { provider_runner_id: 'runner-1' },
        status: 500,
        answer: { code: 'server-error' },
      },
      {
        does: 'wants a uuid',
        request: 'POST /provisioners/runner-instances/x/provider-runner',
        body: { provider_runner_id: 'x' },
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'does not see a runner that has not enrolled',
        request: 'POST /provisioners/runner-instances/reconcile',
        body: { observed_provider_runner_ids: ['runner-1'] },
        headers: { 'x-shipfox-reconcile-intended-reservation': '1' },
        status: 200,
        answer: {
          runners: [
            {
              provider_runner_id: 'runner-1',
              state: null,
              reservation_id: null,
              runner_session_id: null,
              bound_job: null,
              desired_intent: 'keep',
              intended_reservation_id: null,
            },
          ],
          terminated_absent_provider_runner_ids: [],
        },
      },
      {
        does: 'exchanges the bootstrap token',
        request: 'POST /runner-enrollment/exchange',
        token: null,
        body: { bootstrap_token: '{{token}}' },
        status: 200,
        answer: {
          runner_instance_id: '{{instance}}',
          control_session_token: '<control:control>',
          expires_at: '2026-01-01T01:00:00.000Z',
        },
      },
      {
        does: 'exchanges it once only',
        request: 'POST /runner-enrollment/exchange',
        token: null,
        body: { bootstrap_token: '{{token}}' },
        status: 401,
        answer: { code: 'runner-bootstrap-token-invalid' },
      },
      {
        does: 'takes a control heartbeat',
        request: 'POST /runner-control/heartbeat',
        token: '{{control}}',
        body: {},
        status: 200,
        answer: { ok: true },
      },
      {
        does: 'assigns nothing before enrolment',
        request: 'GET /runner-control/assignment?wait_seconds=1',
        token: '{{control}}',
        status: 200,
        answer: { activation_token: null },
      },
      {
        does: 'wants a wait of 1 to 30 s',
        request: 'GET /runner-control/assignment?wait_seconds=0',
        token: '{{control}}',
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'enrols and is active at once',
        request: 'POST /runner-control/enrollment',
        token: '{{control}}',
        body: enrolBody,
        status: 200,
        answer: { activation_token: '<activation:activation>' },
      },
      {
        does: 'registers',
        request: 'POST /runners/register',
        token: '{{activation}}',
        body: { labels: ['linux'] },
        status: 200,
        answer: {
          session_token: '<session:session>',
          session_id: '<uuid:sessionId>',
          mode: 'activation',
          max_claims: 1,
        },
      },
      {
        does: 'registers once only',
        request: 'POST /runners/register',
        token: '{{activation}}',
        body: { labels: ['linux'] },
        status: 409,
        answer: { code: 'activation-token-consumed' },
      },
      {
        does: 'gives the job',
        request: 'POST /runners/jobs/request',
        token: '{{session}}',
        status: 200,
        answer: {
          workflow_run_id: '<uuid>',
          workflow_run_attempt_id: '<uuid>',
          job_id: '{{one}}',
          job_execution_id: '<uuid>',
          lease_token: '<lease:lease>',
          sandbox: { command: 'echo one', nonce: '<nonce:nonce>', heartbeat_interval_ms: 15000 },
        },
      },
      {
        does: 'gives one job only',
        request: 'POST /runners/jobs/request',
        token: '{{session}}',
        status: 409,
        answer: { code: 'runner-session-exhausted' },
      },
      {
        does: 'takes the result',
        request: 'POST /runners/jobs/complete',
        token: '{{lease}}',
        body: { exit_code: 3, output: 'no', interrupted: false },
        status: 200,
        answer: { state: 'failed' },
      },
      {
        does: 'shows the intended reservation on request',
        request: 'POST /provisioners/runner-instances/reconcile',
        body: { observed_provider_runner_ids: ['runner-1'] },
        headers: { 'x-shipfox-reconcile-intended-reservation': '1' },
        status: 200,
        answer: {
          runners: [
            {
              provider_runner_id: 'runner-1',
              state: 'starting',
              reservation_id: '{{reservation}}',
              runner_session_id: '{{sessionId}}',
              bound_job: {
                job_id: '{{one}}',
                workflow_run_attempt_id: '<uuid>',
                last_heartbeat_at: '2026-01-01T00:00:00.000Z',
                cancellation_requested_at: null,
              },
              desired_intent: 'keep',
              intended_reservation_id: '{{reservation}}',
            },
          ],
          terminated_absent_provider_runner_ids: [],
        },
      },
      {
        does: 'takes a report that names an instance',
        request: 'POST /provisioners/runner-instances/report',
        body: {
          events: [
            {
              provider_runner_id: 'runner-1',
              labels: ['linux'],
              state: 'stopped',
              reported_at: '2026-01-01T00:00:00.001Z',
              runner_instance_id: unknownId,
            },
          ],
        },
        status: 200,
        answer: { accepted: 1, reservations_released: 0 },
      },
    ],
  },
  {
    tells: 'lifetimes that a poll asks for',
    generations: ONLY,
    steps: [
      queueOne,
      grantOne(30, '2026-01-01T00:00:30.000Z'),
      {
        does: 'mints nothing on an expired reservation',
        at: 30,
        request: MINT,
        body: { runner_instances: [{ reservation_id: '{{reservation}}' }] },
        status: 200,
        answer: { runner_instances: [], reservation_unavailable: true },
      },
      { ...grantOne(10_000, '2026-01-01T00:10:30.000Z'), at: 30 },
    ],
  },
  {
    tells: 'assignments of warm runners',
    generations: ONLY,
    steps: [
      queueOne,
      {
        does: 'mints a warm one',
        request: MINT,
        body: { runner_instances: [{}] },
        status: 200,
        answer: {
          runner_instances: [
            { runner_instance_id: '<uuid:warm>', bootstrap_token: '<bootstrap:token>', request_index: 0 },
          ],
        },
      },
      grantOne(undefined, '2026-01-01T00:01:00.000Z'),
      {
        does: 'assigns none that has not enrolled',
        request: 'POST /provisioners/runner-instances/assignments',
        body: { reservation_id: '{{reservation}}', runner_instance_ids: ['{{warm}}'] },
        status: 409,
        answer: { code: 'runner-instance-not-assignable' },
      },
      {
        does: 'exchanges',
        request: 'POST /runner-enrollment/exchange',
        token: null,
        body: { bootstrap_token: '{{token}}' },
        status: 200,
        answer: {
          runner_instance_id: '{{warm}}',
          control_session_token: '<control:control>',
          expires_at: '2026-01-01T01:00:00.000Z',
        },
      },
      {
        does: 'enrols without an assignment',
        request: 'POST /runner-control/enrollment',
        token: '{{control}}',
        body: enrolBody,
        status: 200,
        answer: { activation_token: null },
      },
      {
        does: 'assigns it',
        request: 'POST /provisioners/runner-instances/assignments',
        body: { reservation_id: '{{reservation}}', runner_instance_ids: ['{{warm}}'] },
        status: 200,
        answer: { runner_instance_ids: ['{{warm}}'] },
      },
      {
        does: 'assigns it again the same',
        request: 'POST /provisioners/runner-instances/assignments',
        body: { reservation_id: '{{reservation}}', runner_instance_ids: ['{{warm}}'] },
        status: 200,
        answer: { runner_instance_ids: ['{{warm}}'] },
      },
      {
        does: 'tells the runner',
        request: 'GET /runner-control/assignment?wait_seconds=30',
        token: '{{control}}',
        status: 200,
        answer: { activation_token: '<activation>' },
      },
      {
        does: 'knows no other reservation',
        request: 'POST /provisioners/runner-instances/assignments',
        body: { reservation_id: unknownId, runner_instance_ids: ['{{warm}}'] },
        status: 404,
        answer: { code: 'reservation-not-found' },
      },
      {
        does: 'assigns nothing to an expired one',
        at: 60,
        request: 'POST /provisioners/runner-instances/assignments',
        body: { reservation_id: '{{reservation}}', runner_instance_ids: ['{{warm}}'] },
        status: 409,
        answer: { code: 'reservation-expired' },
      },
    ],
  },
  {
    tells: 'strict bodies, and the routes of v1, which it has not',
    generations: ONLY,
    steps: [
      {
        does: 'no registration tokens: the probe',
        request: 'POST /provisioners/runner-registration-tokens/batch',
        body: {},
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'no unknown key in a mint',
        request: MINT,
        body: { runner_instances: [{}], more: 1 },
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'no more than 500',
        request: MINT,
        body: { runner_instances: Array.from({ length: 501 }, () => ({})) },
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'up to 1000 templates',
        request: POLL,
        body: {
          max_reservations: 0,
          templates: Array.from({ length: 1000 }, () => oneTemplate(1)),
        },
        status: 200,
        answer: { stats: [], reservations: [], terminate_provider_runner_ids: [] },
      },
    ],
  },
]
