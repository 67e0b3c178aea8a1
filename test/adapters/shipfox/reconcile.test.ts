import { describe, expect, it } from 'vitest'
import { failureOf, json, makeRunnerId, NEVER, ready, serveApi } from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const row = (id: string, changes: object = {}) => ({
  provider_runner_id: id,
  state: 'running',
  reservation_id: null,
  runner_session_id: null,
  bound_job: null,
  desired_intent: 'keep',
  ...changes,
})
const job = (cancelledAt: string | null) => ({
  job_id: 'j',
  workflow_run_attempt_id: 'w',
  last_heartbeat_at: '2026-07-01T12:00:00Z',
  cancellation_requested_at: cancelledAt,
})

async function observe(generation: 'v1' | 'v2', changes: object, log = new EventRecorder()) {
  const server = await serveApi(generation, {
    '/reconcile': ({ body }, response) =>
      json(response, 200, {
        runners: body.observed_provider_runner_ids.map((id: string) => row(id, changes)),
        terminated_absent_provider_runner_ids: ['gone-1', 'gone-2'],
      }),
  })
  const source = await ready(server, { log })
  const [observed] = await source.reconcile([makeRunnerId()], NEVER)
  return { ...observed, id: undefined }
}

const KNOWN = { registered: false, jobBound: false, cancellationRequested: false, ended: false }

describe('reconcile', () => {
  it.each<[string, object, object, object]>([
    ['a runner that has not registered', { state: 'starting' }, {}, { registered: true }],
    ['a registered runner', { runner_session_id: 's' }, { registered: true }, { registered: true }],
    [
      'a runner at work',
      { runner_session_id: 's', bound_job: job(null) },
      { registered: true, jobBound: true },
      { registered: true, jobBound: true },
    ],
    [
      'a runner whose job was canceled',
      { runner_session_id: 's', bound_job: job('2026-07-01T12:00:00Z'), desired_intent: 'terminate' },
      { registered: true, jobBound: true, cancellationRequested: true },
      { registered: true, jobBound: true, cancellationRequested: true },
    ],
    [
      'a stopped runner',
      { state: 'stopped', desired_intent: 'terminate' },
      { ended: true },
      { registered: true, ended: true },
    ],
    ['a failed runner', { state: 'failed' }, { ended: true }, { registered: true, ended: true }],
    ['a terminated runner', { state: 'terminated' }, { ended: true }, { registered: true, ended: true }],
    ['a state of a later server', { state: 'paused' }, {}, { registered: true }],
  ])('reads %s', async (_, changes, v1, v2) => {
    expect(await observe('v1', changes)).toEqual({ ...KNOWN, ...v1, id: undefined })
    expect(await observe('v2', changes)).toEqual({ ...KNOWN, ...v2, id: undefined })
  })

  it('G22: says nothing of a runner that a v1 server has no report of: on v2 its mint made it known', async () => {
    expect(await observe('v1', { state: null })).toEqual({ id: undefined })
    expect(await observe('v1', { state: null, runner_session_id: 's' })).toMatchObject({ registered: true })
    expect(await observe('v2', { state: null })).toEqual({ ...KNOWN, id: undefined })
  })

  it('tells of runners that the server has ended because they were missing', async () => {
    const log = new EventRecorder()
    await observe('v1', {}, log)
    expect(log.all.at(-1)).toMatchObject({ name: 'source.absent-ended', count: 2 })
  })

  it('sends each id once, all in one call, and gives rows of others back to nobody', async () => {
    const ids = Array.from({ length: 5000 }, makeRunnerId)
    const server = await serveApi('v2', {
      '/reconcile': (_, response) =>
        json(response, 200, {
          runners: [row('stranger'), row(ids[1]!), row(ids[0]!)],
          terminated_absent_provider_runner_ids: [],
        }),
    })
    const source = await ready(server)
    const observed = await source.reconcile([...ids, ids[7]!], NEVER)
    expect(observed.map(({ id }) => id)).toEqual([ids[0], ids[1]])
    const calls = server.seen.filter(({ path }) => path.endsWith('/reconcile'))
    expect(calls.map(({ body }) => body)).toEqual([{ observed_provider_runner_ids: ids }])
  })

  it('more than the server takes is an error that says so, never a part of them', async () => {
    const server = await serveApi('v2', {})
    const source = await ready(server)
    const calls = server.seen.length
    const failure = await failureOf(source.reconcile(Array.from({ length: 5001 }, makeRunnerId), NEVER))
    expect(failure.kind).toBe('protocol')
    expect(failure.message).toContain('5001')
    expect(server.seen).toHaveLength(calls)
  })

  it('nothing observed is no call', async () => {
    const server = await serveApi('v2', {})
    const source = await ready(server)
    const calls = server.seen.length
    expect(await source.reconcile([], NEVER)).toEqual([])
    expect(server.seen).toHaveLength(calls)
  })
})
