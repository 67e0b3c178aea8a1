import type { Step, Transcript } from '../transcript.ts'

const BOTH = ['v1', 'v2'] as const
const templates = [
  { template_key: 't', labels: ['linux', 'x64'], available_slots: 0, starting: 0, running: 0 },
]
const time = '2026-01-01T00:00:00Z'

/** A report of one runner. */
export const report = (state: string, extra: Record<string, unknown> = {}): unknown => ({
  events: [{ provider_runner_id: 'runner-1', labels: ['linux'], state, reported_at: time, ...extra }],
})

const invalid = (does: string, request: string, body: unknown): Step => ({
  does,
  request,
  body,
  status: 400,
  answer: { code: 'validation-error', message: '<problem>' },
})

const POLL = 'POST /provisioners/demand/poll'
const REPORT = 'POST /provisioners/runner-instances/report'
const RECONCILE = 'POST /provisioners/runner-instances/reconcile'

export const commonTranscripts: readonly Transcript[] = [
  {
    tells: 'who the token is',
    generations: BOTH,
    steps: [
      {
        does: 'shows the provisioner',
        request: 'GET /provisioners/me',
        status: 200,
        answer: { id: '<uuid:id>', scope: 'workspace', workspace_id: '<uuid:workspace>' },
      },
      {
        does: 'shows the same one again',
        request: 'GET /provisioners/me?x=1',
        status: 200,
        answer: { id: '{{id}}', scope: 'workspace', workspace_id: '{{workspace}}' },
      },
    ],
  },
  {
    tells: 'every general error',
    generations: BOTH,
    steps: [
      {
        does: 'no header',
        request: 'GET /provisioners/me',
        token: null,
        status: 401,
        answer: { code: 'unauthorized' },
      },
      {
        does: 'an unknown token',
        request: 'GET /provisioners/me',
        token: `sf_pt_${'x'.repeat(43)}`,
        status: 401,
        answer: { code: 'unauthorized' },
      },
      {
        does: 'another kind of token',
        request: 'GET /provisioners/me',
        token: `sf_ert_${'x'.repeat(43)}`,
        status: 401,
        answer: { code: 'unauthorized' },
      },
      {
        does: 'auth before validation',
        request: POLL,
        token: 'nonsense',
        body: { bad: true },
        status: 401,
        answer: { code: 'unauthorized' },
      },
      {
        does: 'an unknown route',
        request: 'GET /provisioners/nothing',
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'a wrong method',
        request: 'POST /provisioners/me',
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'an unknown route without a token',
        request: 'GET /',
        token: null,
        status: 404,
        answer: { code: 'not-found' },
      },
      { does: 'a broken body', request: POLL, raw: '{', status: 400, answer: { code: 'invalid-json-body' } },
      {
        does: 'an empty body',
        request: POLL,
        raw: '',
        headers: { 'content-type': 'application/json' },
        status: 400,
        answer: { code: 'empty-json-body' },
      },
      {
        does: 'another media type',
        request: POLL,
        raw: 'a=b',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        status: 415,
        answer: { code: 'invalid-media-type' },
      },
      {
        does: 'a body of more than 1 MiB',
        request: POLL,
        raw: `"${'x'.repeat(1_048_576)}"`,
        status: 413,
        answer: { code: 'body-too-large' },
      },
      invalid('no body at all', POLL, {}),
    ],
  },
  {
    tells: 'what a poll may ask',
    generations: BOTH,
    steps: [
      invalid('no templates', POLL, { max_reservations: 1 }),
      invalid('no maximum', POLL, { templates: [] }),
      invalid('a maximum above 1000', POLL, { templates: [], max_reservations: 1001 }),
      invalid('a fraction', POLL, { templates: [], max_reservations: 1.5 }),
      invalid('a negative wait', POLL, { templates: [], max_reservations: 1, wait_seconds: -1 }),
      invalid('too many slots', POLL, {
        templates: [{ ...templates[0], available_slots: 100_001 }],
        max_reservations: 1,
      }),
      invalid('no labels', POLL, { templates: [{ ...templates[0], labels: [] }], max_reservations: 1 }),
      invalid('an invalid label', POLL, {
        templates: [{ ...templates[0], labels: ['-x'] }],
        max_reservations: 1,
      }),
      invalid('a long label', POLL, {
        templates: [{ ...templates[0], labels: ['x'.repeat(129)] }],
        max_reservations: 1,
      }),
      {
        does: 'a long wait is clamped, unknown keys are ignored, and no slots answer at once',
        request: POLL,
        body: { wait_seconds: 86_400, max_reservations: 5, templates, more: 1 },
        status: 200,
        answer: { stats: [], reservations: [], terminate_provider_runner_ids: [] },
      },
    ],
  },
  {
    tells: 'how jobs wait and are shown',
    generations: BOTH,
    steps: [
      {
        does: 'queues two jobs at one instant, with canonical labels',
        request: 'POST /sandbox/jobs',
        body: {
          jobs: [
            { labels: ['X64', 'linux', 'LINUX'], command: 'true' },
            { labels: ['gpu'], command: 'true' },
          ],
        },
        status: 201,
        answer: {
          jobs: [
            {
              id: '<uuid:job>',
              labels: ['linux', 'x64'],
              command: 'true',
              nonce: '<nonce>',
              queuedAt: 1767225600000,
              state: 'queued',
            },
            {
              id: '<uuid:gpu>',
              labels: ['gpu'],
              command: 'true',
              nonce: '<nonce>',
              queuedAt: 1767225600000,
              state: 'queued',
            },
          ],
        },
      },
      {
        does: 'counts only label sets that a template serves',
        at: 1,
        request: POLL,
        body: { max_reservations: 5, templates },
        status: 200,
        answer: {
          stats: [
            {
              labels: ['linux', 'x64'],
              queued: 1,
              reserved: 0,
              oldest_queued_at: '2026-01-01T00:00:00.000Z',
            },
          ],
          reservations: [],
          terminate_provider_runner_ids: [],
        },
      },
      {
        does: 'cancels a waiting job at once',
        request: 'DELETE /sandbox/jobs/{{job}}',
        status: 200,
        answer: {
          job: {
            id: '{{job}}',
            labels: ['linux', 'x64'],
            command: 'true',
            nonce: '<nonce>',
            queuedAt: 1767225600000,
            state: 'cancelled',
            endedAt: 1767225601000,
            claim: null,
          },
        },
      },
      {
        does: 'knows no other job',
        request: 'DELETE /sandbox/jobs/none',
        status: 404,
        answer: { code: 'not-found' },
      },
      {
        does: 'hides the jobs from strangers',
        request: 'GET /sandbox/jobs',
        token: null,
        status: 401,
        answer: { code: 'unauthorized' },
      },
    ],
  },
  {
    tells: 'what a report may say',
    generations: BOTH,
    steps: [
      invalid('no events', REPORT, { events: [] }),
      invalid('an unknown key', REPORT, report('running', { extra: 1 })),
      invalid('an unknown state', REPORT, report('paused')),
      invalid(
        'a time with an offset',
        REPORT,
        report('running', { reported_at: '2026-01-01T00:00:00+00:00' }),
      ),
      invalid('an empty reason', REPORT, report('running', { reason: '' })),
      invalid('a reservation that is no uuid', REPORT, report('running', { reservation_id: 'r' })),
      {
        does: 'makes an unknown runner',
        request: REPORT,
        body: report('running'),
        status: 200,
        answer: { accepted: 1, reservations_released: 0 },
      },
      {
        does: 'accepts and ignores a lower rank',
        request: REPORT,
        body: report('starting'),
        status: 200,
        answer: { accepted: 1, reservations_released: 0 },
      },
      {
        does: 'shows what is known in the order of the question',
        request: RECONCILE,
        body: { observed_provider_runner_ids: ['runner-2', 'runner-1'] },
        status: 200,
        answer: {
          runners: [
            {
              provider_runner_id: 'runner-2',
              state: null,
              reservation_id: null,
              runner_session_id: null,
              bound_job: null,
              desired_intent: 'keep',
            },
            {
              provider_runner_id: 'runner-1',
              state: 'running',
              reservation_id: null,
              runner_session_id: null,
              bound_job: null,
              desired_intent: 'keep',
            },
          ],
          terminated_absent_provider_runner_ids: [],
        },
      },
      invalid('a reconcile with an id twice', RECONCILE, { observed_provider_runner_ids: ['a', 'a'] }),
      invalid('a reconcile with an unknown key', RECONCILE, { observed_provider_runner_ids: [], more: 1 }),
    ],
  },
]
