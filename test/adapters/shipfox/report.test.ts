import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchEvents, truncateReason, toEvent } from '../../../adapters/shipfox/report.ts'
import { ReportEvent } from '../../../adapters/shipfox/wire.ts'
import { type RunnerReport, templateKey } from '../../../core/model/index.ts'
import {
  failureOf,
  json,
  makeRunnerId,
  NEVER,
  ready,
  RESERVATION,
  type Handler,
  serveApi,
  type WireBody,
} from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now())

function makeReport(changes: Partial<RunnerReport> = {}): RunnerReport {
  return {
    id: makeRunnerId(),
    template: templateKey('small'),
    labels: ['docker'],
    reservation: RESERVATION,
    state: 'running',
    reason: null,
    at: Date.parse('2026-07-01T12:00:00.123Z'),
    ...changes,
  }
}

async function serveReports(answer?: Handler) {
  const batches: WireBody['events'][] = []
  const server = await serveApi('v1', {
    '/report': (seen, response) => {
      batches.push(seen.body.events)
      if (answer !== undefined) return answer(seen, response)
      json(response, 200, { accepted: seen.body.events.length, reservations_released: 0 })
    },
  })
  return { server, batches }
}

describe('reports', () => {
  it('are sent as the page has them, times in Z', async () => {
    const { server, batches } = await serveReports()
    const source = await ready(server)
    const full = makeReport({ state: 'failed', reason: 'exit 1' })
    const bare = makeReport({ reservation: null, reason: null })
    await source.report([full, bare], NEVER)
    expect(batches).toEqual([
      [
        {
          provider_runner_id: full.id,
          reservation_id: RESERVATION,
          template_key: 'small',
          labels: ['docker'],
          state: 'failed',
          reason: 'exit 1',
          reported_at: '2026-07-01T12:00:00.123Z',
        },
        {
          provider_runner_id: bare.id,
          template_key: 'small',
          labels: ['docker'],
          state: 'running',
          reported_at: '2026-07-01T12:00:00.123Z',
        },
      ],
    ])
  })

  it('none make no call', async () => {
    const { server, batches } = await serveReports()
    await (await ready(server)).report([], NEVER)
    expect(batches).toEqual([])
  })

  it('of one runner go into batches of their own, in order', async () => {
    const { server, batches } = await serveReports()
    const source = await ready(server)
    const [a, b] = [makeReport({ state: 'starting' }), makeReport({ state: 'starting' })]
    await source.report([a, b, { ...a, state: 'running' }, { ...a, state: 'stopped' }], NEVER)
    expect(batches.map((events) => events.map(({ state }) => state))).toEqual([
      ['starting', 'starting'],
      ['running'],
      ['stopped'],
    ])
  })

  it(`fit the server by count and by bytes, lose nothing and keep their order (seed ${seed})`, () => {
    const ids = Array.from({ length: 40 }, makeRunnerId)
    const event = fc.record({
      runner: fc.nat(ids.length - 1),
      reason: fc.string({ unit: 'binary', maxLength: 600 }),
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (rows) => {
        const events = rows.map(({ runner, reason }) =>
          ReportEvent.parse(toEvent(makeReport({ id: ids[runner]!, reason }), undefined)),
        )
        const batches = batchEvents(events)
        expect(batches.flat()).toEqual(events)
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0)
          expect(new Set(batch.map(({ provider_runner_id: id }) => id)).size).toBe(batch.length)
        }
      }),
      { seed, numRuns: 50 },
    )
  })

  it.each([
    ['by count', 2500, 'x', [1000, 1000, 500]],
    ['by bytes, not by characters', 1000, '€'.repeat(500), [577, 423]],
  ])('are cut %s, where the server would refuse', (_, count, reason, sizes) => {
    const events = Array.from({ length: count }, () =>
      ReportEvent.parse(toEvent(makeReport({ reason }), undefined)),
    )
    const batches = batchEvents(events)
    expect(batches.map(({ length }) => length)).toEqual(sizes)
    const largest = Math.max(...batches.map((batch) => Buffer.byteLength(JSON.stringify({ events: batch }))))
    expect(largest).toBeLessThan(1024 * 1024)
  })

  it.each([
    ['', undefined],
    ['  \n ', undefined],
    ['exit\u0000 1\r\nlast line', 'exit  1 last line'],
    ['x'.repeat(500), 'x'.repeat(500)],
    ['x'.repeat(501), `${'x'.repeat(499)}…`],
    [`${'x'.repeat(498)}😀😀`, `${'x'.repeat(498)}\ufffd…`],
    ['cut \ud83d', 'cut \ufffd'],
  ])('a reason %j is sent as %j', (reason, sent) => {
    expect(truncateReason(reason)).toBe(sent ?? '')
    expect((toEvent(makeReport({ reason }), undefined) as { reason?: string }).reason).toBe(sent)
  })

  it.each([
    ['no labels', { labels: [] }],
    ['too many labels', { labels: Array.from({ length: 21 }, (_, index) => `l${index}`) }],
    ['a label that is none', { labels: ['two words'] }],
    ['a time that is none', { at: NaN }],
    ['a time beyond all calendars', { at: 1e300 }],
    ['a reservation of another kind', { reservation: 'github-7' as RunnerReport['reservation'] }],
  ])('L14: one with %s holds up no other, and is told in the log', async (_, changes) => {
    const { server, batches } = await serveReports()
    const log = new EventRecorder()
    const source = await ready(server, { log })
    const [first, bad, last] = [makeReport(), makeReport(changes), makeReport()]
    await source.report([first, bad, last], NEVER)
    expect(log.all.at(-1)).toMatchObject({ name: 'source.report.unsendable', runner: bad.id })
    expect(batches.flat().map(({ provider_runner_id: id }) => id)).toEqual([first.id, last.id])
  })

  it('L14: one that the server finds invalid is left out and told in the log, and all others reach it', async () => {
    const reports = Array.from({ length: 40 }, () => makeReport())
    const bad = new Set([reports[7]!.id, reports[31]!.id] as string[])
    const taken: string[] = []
    let calls = 0
    const { server } = await serveReports(({ body }, response) => {
      calls += 1
      const ids = body.events.map(({ provider_runner_id: id }: { provider_runner_id: string }) => id)
      if (ids.some((id: string) => bad.has(id)))
        return json(response, 400, { code: 'validation-error', message: '[body] events' })
      taken.push(...ids)
      return json(response, 200, { accepted: ids.length, reservations_released: 0 })
    })
    const log = new EventRecorder()
    const source = await ready(server, { log })
    await source.report(reports, NEVER)
    expect(taken).toEqual(reports.map(({ id }) => id).filter((id) => !bad.has(id)))
    expect(log.events('source.report.unsendable').map(({ runner }) => runner)).toEqual([...bad])
    expect(calls).toBeLessThan(30)
  })

  it('inv. 20: a server that finds all of them invalid is not asked about each of a thousand', async () => {
    let calls = 0
    const { server } = await serveReports((_, response) => {
      calls += 1
      json(response, 400, { code: 'validation-error', message: '[body] events' })
    })
    const source = await ready(server)
    const reports = Array.from({ length: 1000 }, () => makeReport())
    expect((await failureOf(source.report(reports, NEVER))).kind).toBe('protocol')
    expect(calls).toBeLessThan(100)
  })

  it.each<[string, Handler, string]>([
    ['500', (_, response) => json(response, 500, { code: 'server-error' }), 'unavailable'],
    ['no answer', ({ socket }) => void socket.destroy(), 'unavailable'],
    ['400', (_, response) => json(response, 400, { code: 'invalid-json-body' }), 'protocol'],
    ['401', (_, response) => json(response, 401, { code: 'unauthorized' }), 'unauthorized'],
    ['an answer that is none', (_, response) => json(response, 200, {}), 'protocol'],
  ])('fail as a whole with %s, so that the core sends them again', async (_, answer, kind) => {
    const { server } = await serveReports(answer)
    const source = await ready(server)
    expect((await failureOf(source.report([makeReport()], NEVER))).kind).toBe(kind)
  })
})
