import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type SourceStatus, sourceId, templateKey } from '../../core/model/index.ts'
import { RunnerAnswer, RunnersAnswer, SecretsAnswer, WhyAnswer } from '../../protocol/hub-api.ts'
import {
  H1,
  H2,
  LINUX,
  NEVER,
  onlineHost,
  reserved,
  rid,
  SECOND,
  T0,
  tombstone,
} from '../contract/store-fixtures.ts'
import { type Api, closeStores, openApi, PARAMETER, SHIPFOX, STORES, yamlOf } from './http-api-fixtures.ts'

afterAll(closeStores)

describe.each(STORES)('what the HTTP API tells on the %s store', (_name, openStore) => {
  let api: Api
  beforeEach(async () => {
    api = openApi(await openStore())
  })

  describe('of runners', () => {
    const list = async (query: string) =>
      RunnersAnswer.parse((await api.ask('GET', `/api/runners${query}`)).body)
    const idsOf = async (query: string) => (await list(query)).runners.map(({ runner }) => runner)

    it('comes newest first, filtered, a bounded page at a time', async () => {
      for (const n of [1, 2, 3, 4]) await api.store.putRunner(reserved(n), T0)
      await api.store.putRunner(reserved(5, { host: H2, template: templateKey('gpu') }), T0)
      await api.store.putRunner(tombstone(6), T0)
      expect(await idsOf('')).toEqual([6, 5, 4, 3, 2, 1].map(rid))
      expect(await idsOf('?state=live')).toEqual([5, 4, 3, 2, 1].map(rid))
      expect(await idsOf('?state=gone')).toEqual([rid(6)])
      expect(await idsOf('?host=h2')).toEqual([rid(5)])
      expect(await idsOf('?template=linux&state=reserved')).toEqual([4, 3, 2, 1].map(rid))
      const first = await list('?limit=4')
      expect(first).toMatchObject({ total: 6, next: rid(3) })
      const second = await list(`?limit=4&after=${first.next}`)
      expect(second.runners.map(({ runner }) => runner)).toEqual([rid(2), rid(1)])
      expect(second.next).toBeNull()
      expect((await api.ask('GET', '/api/runners?state=lost')).status).toBe(400)
      expect((await api.ask('GET', '/api/runners?after=x')).status).toBe(400)
    })

    it('is everything of one: its times, its end, and what its agent recorded', async () => {
      await api.store.putRunner(reserved(1), T0)
      const at = { host: H1, id: rid(1) }
      await api.store.startRunner({ ...at, startedAt: T0 + SECOND, now: T0 + SECOND })
      await api.store.orderStop({
        ...at,
        stop: { reason: 'canceled', requestedAt: T0 + 2 * SECOND },
        now: T0,
      })
      await api.store.endRunner({ ...at, ending: NEVER, now: T0 + 3 * SECOND })
      const box = { logTail: 'the last line', exitCode: 1 }
      await api.store.putCrashReport({
        ...at,
        runner: rid(1),
        part: 0,
        parts: 1,
        text: JSON.stringify(box),
        now: T0,
      })
      const answer = RunnerAnswer.parse((await api.ask('GET', `/api/runners/${rid(1)}`)).body)
      expect(answer.runner).toMatchObject({
        state: 'gone',
        outcome: 'failed',
        code: 'never-arrived',
        reason: 'the host was gone',
        startedAt: T0 + SECOND,
        goneAt: T0 + 3 * SECOND,
      })
      expect(answer.timeline[0]).toMatchObject({ at: T0 })
      expect(answer.timeline.at(-1)!.at).toBe(T0 + 3 * SECOND)
      expect(answer.blackBox).toEqual(box)
    })

    it('is no record where none came, and text where it is not JSON', async () => {
      await api.store.putRunner(tombstone(1), T0)
      expect((await api.ask('GET', `/api/runners/${rid(1)}`)).body['blackBox']).toBeNull()
      const part = { host: H1, runner: rid(1), part: 0, parts: 1, text: 'not json', now: T0 }
      await api.store.putCrashReport(part)
      expect((await api.ask('GET', `/api/runners/${rid(1)}`)).body['blackBox']).toBe('not json')
    })

    it('is an error for an id that is none, or unknown', async () => {
      expect((await api.ask('GET', '/api/runners/x')).body['code']).toBe('id-invalid')
      const { status, body } = await api.ask('GET', `/api/runners/${rid(9)}`)
      expect([status, body['code']]).toEqual([404, 'runner-unknown'])
    })
  })

  describe('of a waiting job', () => {
    const apply = () =>
      api.ask('POST', '/api/templates/apply', { v: 1, text: yamlOf(2), file: 't.yaml', basedOn: 0 })
    const why = async (labels: string) =>
      WhyAnswer.parse((await api.ask('GET', `/api/why?labels=${labels}`)).body)
    const told = (status: Partial<SourceStatus>) =>
      api.store.putSourceStatus({
        source: SHIPFOX,
        checkedAt: T0,
        state: { kind: 'ok' },
        waiting: [],
        refusals: [],
        ...status,
      })
    const ready = async () => {
      await onlineHost(api.store)
      await api.store.mergeImages({
        host: H1,
        images: new Map([['runner:1', { state: 'present' }]]),
        now: T0,
      })
      await told({})
    }

    it('is that no templates are in force, and what to do', async () => {
      const [answer] = (await why('linux')).sources
      expect(answer).toMatchObject({ source: 'shipfox', start: null, code: 'no-template', checkedAt: null })
      expect(answer!.text).toContain('slipway templates apply')
    })

    it('is where it would start at once, whatever the order and case of its labels', async () => {
      await apply()
      await ready()
      const answer = await why('X64,Linux')
      expect(answer.labels).toEqual(['linux', 'x64'])
      expect(answer.sources).toMatchObject([
        { start: { template: 'linux', host: 'h1' }, code: null, waiting: 0 },
      ])
      expect(answer.sources[0]!.text).toMatch(/would start at once.*template linux on host h1/)
    })

    it('is the reason of the planner, in its words', async () => {
      await apply()
      await told({})
      expect((await why('linux')).sources[0]).toMatchObject({ start: null, code: 'no-host-assigned' })
      expect((await why('macos')).sources[0]!.text).toMatch(/no template offers these labels.*linux,x64/)
      await ready()
      await api.store.putRunner(reserved(1, { template: LINUX }), T0)
      await api.store.putRunner(reserved(2, { template: LINUX }), T0)
      const full = (await why('linux')).sources[0]!
      expect(full.code).toBe('template-full')
      expect(full.text).toContain('max_concurrency is 2')
    })

    it('counts jobs that stand before it', async () => {
      await apply()
      await ready()
      const others = { labels: ['x64'], queued: 2, reserved: 0, oldestQueuedAt: T0 - SECOND }
      const mine = { labels: ['linux'], queued: 3, reserved: 1, oldestQueuedAt: T0 }
      await told({ waiting: [mine, others] })
      expect((await why('linux')).sources[0]).toMatchObject({
        waiting: 2,
        start: null,
        code: 'template-full',
      })
      await told({ waiting: [{ ...mine, oldestQueuedAt: T0 - 2 * SECOND }, others] })
      expect((await why('linux')).sources[0]).toMatchObject({ waiting: 2, code: null })
    })

    it('is the missing secret, by name, or what the source said', async () => {
      await apply()
      await told({ state: { kind: 'secret-missing', parameter: PARAMETER } })
      const missing = (await why('linux')).sources[0]!.text
      expect(missing).toContain(PARAMETER)
      expect(missing).toContain('slipway secret set shipfox')
      await told({ state: { kind: 'failing', code: 'unauthorized', message: 'The token was revoked.' } })
      expect((await why('linux')).sources[0]!.text).toContain('The token was revoked.')
    })

    it('is told for every source, and for none that was taken out of the settings', async () => {
      await told({ source: sourceId('gone') })
      expect((await why('linux')).sources.map(({ source }) => source)).toEqual(['shipfox'])
    })
  })

  it('of secrets is their names and whether they are there, and nothing else', async () => {
    const secrets = async () => SecretsAnswer.parse((await api.ask('GET', '/api/secrets')).body).secrets
    const entry = { source: 'shipfox', parameter: PARAMETER, problem: null }
    expect(await secrets()).toEqual([{ ...entry, state: 'unknown' }])
    const status = { source: SHIPFOX, checkedAt: T0, waiting: [], refusals: [] }
    await api.store.putSourceStatus({ ...status, state: { kind: 'secret-missing', parameter: PARAMETER } })
    expect(await secrets()).toEqual([{ ...entry, state: 'missing' }])
    const unasked = { kind: 'failing', code: 'templates-missing', message: 'no templates' } as const
    await api.store.putSourceStatus({ ...status, state: unasked })
    expect(await secrets()).toEqual([{ ...entry, state: 'unknown', problem: 'no templates' }])
    const state = { kind: 'failing', code: 'unauthorized', message: 'said no' } as const
    await api.store.putSourceStatus({ ...status, state })
    expect(await secrets()).toEqual([{ ...entry, state: 'stored', problem: 'said no' }])
  })
})
