import type { Step, Transcript } from '../transcript.ts'
import { report } from './common.ts'

const ONLY = ['v1'] as const
const MINT = 'POST /provisioners/runner-registration-tokens/batch'
const POLL = 'POST /provisioners/demand/poll'
const oneTemplate = (slots: number): unknown => ({
  template_key: 't',
  labels: ['linux'],
  available_slots: slots,
  starting: 0,
  running: 0,
})
const poll = (slots: number): unknown => ({
  wait_seconds: 0,
  max_reservations: 10,
  templates: [oneTemplate(slots)],
})
const mint = (...ids: string[]): unknown => ({
  reservation_id: '{{reservation}}',
  runner_instances: ids.map((id) => ({ provider_runner_id: id })),
})

const queueTwo: Step = {
  does: 'queues two jobs',
  request: 'POST /sandbox/jobs',
  body: {
    jobs: [
      { labels: ['linux'], command: 'echo one' },
      { labels: ['linux'], command: 'echo two' },
    ],
  },
  status: 201,
  answer: {
    jobs: ['one', 'two'].map((name) => ({
      id: `<uuid:${name}>`,
      labels: ['linux'],
      command: `echo ${name}`,
      nonce: '<nonce>',
      queuedAt: 1767225600000,
      state: 'queued',
    })),
  },
}

const grantTwo: Step = {
  does: 'grants both as one reservation of 60 s',
  request: POLL,
  body: poll(5),
  status: 200,
  answer: {
    stats: [{ labels: ['linux'], queued: 2, reserved: 2, oldest_queued_at: '2026-01-01T00:00:00.000Z' }],
    reservations: [
      {
        reservation_id: '<uuid:reservation>',
        labels: ['linux'],
        count: 2,
        expires_at: '2026-01-01T00:01:00.000Z',
      },
    ],
    terminate_provider_runner_ids: [],
  },
}

export const v1Transcripts: readonly Transcript[] = [
  {
    tells: 'the way from demand to a finished job',
    generations: ONLY,
    steps: [
      queueTwo,
      grantTwo,
      {
        does: 'mints one token per runner',
        at: 2,
        request: MINT,
        body: mint('runner-1', 'runner-2'),
        status: 200,
        answer: {
          tokens: [
            {
              provider_runner_id: 'runner-1',
              registration_token: '<registration:token>',
              expires_at: '2026-01-01T00:05:02.000Z',
            },
            {
              provider_runner_id: 'runner-2',
              registration_token: '<registration:other>',
              expires_at: '2026-01-01T00:05:02.000Z',
            },
          ],
        },
      },
      {
        does: 'hears of the runner',
        request: 'POST /provisioners/runner-instances/report',
        body: report('running'),
        status: 200,
        answer: { accepted: 1, reservations_released: 0 },
      },
      {
        does: 'registers',
        request: 'POST /runners/register',
        token: '{{token}}',
        body: { labels: ['linux'], capabilities: { any: true } },
        status: 200,
        answer: {
          session_token: '<session:session>',
          session_id: '<uuid:sessionId>',
          mode: 'ephemeral',
          max_claims: 1,
        },
      },
      {
        does: 'registers only once',
        request: 'POST /runners/register',
        token: '{{token}}',
        body: { labels: ['linux'] },
        status: 409,
        answer: { code: 'registration-token-consumed' },
      },
      {
        does: 'gives the oldest job',
        request: 'POST /runners/jobs/request',
        token: '{{session}}',
        body: {},
        status: 200,
        answer: {
          workflow_run_id: '<uuid>',
          workflow_run_attempt_id: '<uuid:attempt>',
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
        body: {},
        status: 409,
        answer: { code: 'runner-session-exhausted' },
      },
      {
        does: 'takes a heartbeat',
        at: 10,
        request: 'POST /runners/jobs/heartbeat',
        token: '{{lease}}',
        body: {},
        status: 200,
        answer: { ok: true },
      },
      {
        does: 'shows the bound job',
        request: 'POST /provisioners/runner-instances/reconcile',
        body: { observed_provider_runner_ids: ['runner-1'] },
        status: 200,
        answer: {
          runners: [
            {
              provider_runner_id: 'runner-1',
              state: 'running',
              reservation_id: null,
              runner_session_id: '{{sessionId}}',
              bound_job: {
                job_id: '{{one}}',
                workflow_run_attempt_id: '{{attempt}}',
                last_heartbeat_at: '2026-01-01T00:00:10.000Z',
                cancellation_requested_at: null,
              },
              desired_intent: 'keep',
            },
          ],
          terminated_absent_provider_runner_ids: [],
        },
      },
      {
        does: 'takes the result',
        request: 'POST /runners/jobs/complete',
        token: '{{lease}}',
        body: { exit_code: 0, output: '{{nonce}}\n', interrupted: false },
        status: 200,
        answer: { state: 'finished' },
      },
      {
        does: 'takes the same result again',
        request: 'POST /runners/jobs/complete',
        token: '{{lease}}',
        body: { exit_code: 0, output: '', interrupted: false },
        status: 200,
        answer: { state: 'finished' },
      },
      {
        does: 'takes no heartbeat after the end',
        request: 'POST /runners/jobs/heartbeat',
        token: '{{lease}}',
        body: {},
        status: 409,
        answer: { code: 'job-lease-lost' },
      },
    ],
  },
  {
    tells: 'every refusal of a mint',
    generations: ONLY,
    steps: [
      {
        does: 'a body that can not be valid: the probe',
        request: MINT,
        body: {},
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'an unknown reservation',
        request: MINT,
        body: {
          reservation_id: '00000000-0000-4000-8000-000000000000',
          runner_instances: [{ provider_runner_id: 'a' }],
        },
        status: 404,
        answer: { code: 'reservation-not-found' },
      },
      queueTwo,
      grantTwo,
      {
        does: 'more than 500 at once',
        request: MINT,
        body: mint(...Array.from({ length: 501 }, (_, index) => `r${index}`)),
        status: 400,
        answer: { code: 'batch-too-large', details: { requested: 501, max: 500 } },
      },
      {
        does: 'more than 1000 at once',
        request: MINT,
        body: mint(...Array.from({ length: 1001 }, (_, index) => `r${index}`)),
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'one id twice',
        request: MINT,
        body: mint('a', 'a'),
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'more than was granted',
        request: MINT,
        body: mint('a', 'b', 'c'),
        status: 409,
        answer: {
          code: 'batch-exceeds-reservation',
          details: { requested: 3, reservation_count: 2, already_minted: 0 },
        },
      },
      {
        does: 'mints one',
        request: MINT,
        body: mint('a'),
        status: 200,
        answer: {
          tokens: [
            {
              provider_runner_id: 'a',
              registration_token: '<registration:token>',
              expires_at: '2026-01-01T00:05:00.000Z',
            },
          ],
        },
      },
      {
        does: 'an id that holds a token',
        request: MINT,
        body: mint('a'),
        status: 409,
        answer: { code: 'registration-token-active', details: { provider_runner_ids: ['a'] } },
      },
      {
        does: 'the count is checked before the id',
        request: MINT,
        body: mint('a', 'b'),
        status: 409,
        answer: {
          code: 'batch-exceeds-reservation',
          details: { requested: 2, reservation_count: 2, already_minted: 1 },
        },
      },
      {
        does: 'an expired reservation',
        at: 60,
        request: MINT,
        body: mint('b'),
        status: 409,
        answer: { code: 'reservation-expired' },
      },
      {
        does: 'a token outlives its reservation',
        at: 299,
        request: 'POST /runners/register',
        token: '{{token}}',
        body: {},
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
      {
        does: 'an expired token',
        at: 300,
        request: 'POST /runners/register',
        token: '{{token}}',
        body: { labels: ['linux'] },
        status: 401,
        answer: { code: 'registration-token-expired' },
      },
      {
        does: 'no token',
        request: 'POST /runners/register',
        token: null,
        body: { labels: ['linux'] },
        status: 401,
        answer: { code: 'unauthorized' },
      },
    ],
  },
  {
    tells: 'the routes of v2, which it has not',
    generations: ONLY,
    steps: [
      {
        does: 'no instances',
        request: 'POST /provisioners/runner-instances/batch',
        body: {},
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'no exchange',
        request: 'POST /runner-enrollment/exchange',
        body: {},
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'at most 100 templates',
        request: POLL,
        body: {
          max_reservations: 1,
          templates: Array.from({ length: 101 }, () => oneTemplate(1)),
        },
        status: 400,
        answer: { code: 'validation-error', message: '<problem>' },
      },
    ],
  },
]
