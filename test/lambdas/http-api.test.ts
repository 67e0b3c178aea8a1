import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { sweep } from '../../core/flows/index.ts'
import { connectionId, fence, hostId, NO_NOTES, Secret, sourceId } from '../../core/model/index.ts'
import { agentAuthorizer } from '../../lambdas/agent-authorizer/handler.ts'
import { BODY_MAX_BYTES } from '../../lambdas/http-api/event.ts'
import { ErrorAnswer, HealthAnswer } from '../../protocol/hub-api.ts'
import { addHost, H1, onlineHost, reserved, SECOND, T0 } from '../contract/store-fixtures.ts'
import {
  ANN,
  type Api,
  closeStores,
  openApi,
  PARAMETER,
  SHIPFOX,
  STORES,
  yamlOf,
} from './http-api-fixtures.ts'
import { SILENT_LOG } from '../support/event-recorder.ts'

afterAll(closeStores)

describe.each(STORES)('the HTTP API on the %s store', (_name, openStore) => {
  let api: Api
  beforeEach(async () => {
    api = openApi(await openStore())
  })

  const apply = (text: string, basedOn: number | null, file = 'templates.yaml') =>
    api.ask('POST', '/api/templates/apply', { v: 1, text, file, basedOn })

  describe('health', () => {
    const take = (expiresAfterMs: number) =>
      api.store.takeLease({ holder: 'a', build: 'b0', now: T0, ttlMs: expiresAfterMs, handOverAt: null })
    const health = async () => HealthAnswer.parse((await api.ask('GET', '/health')).body)

    it('is open to everyone, and says of a new hub that it never started', async () => {
      const requestContext = { requestId: 'r', http: { method: 'GET' } }
      const answer = await api.ask('GET', '/health', undefined, { requestContext })
      expect(answer.status).toBe(200)
      expect(answer.body).toMatchObject({
        v: 1,
        ok: false,
        build: 'b1',
        loop: { state: 'never-started', build: null },
      })
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' })
    })

    it('L12: tells a loop that works from one that idles and one that stopped', async () => {
      const lease = await take(20 * SECOND)
      expect((await health()).loop).toEqual({ state: 'working', build: 'b0', takenAt: T0 })
      api.now = T0 + 21 * SECOND
      expect((await health()).loop.state).toBe('stopped')
      expect((await api.ask('GET', '/health')).status).toBe(503)
      await take(20 * SECOND)
      const mine = { holder: 'a', fence: fence(lease!.fence + 1), now: T0, notes: NO_NOTES }
      await api.store.releaseLease(mine)
      expect((await health()).loop.state).toBe('idle')
      api.now = T0 + 181 * SECOND
      expect((await health()).loop.state).toBe('stopped')
    })

    it('L12: takes a loop for idle that only looks at its sources and holds no lease for long', async () => {
      const lease = await take(20 * SECOND)
      const mine = { holder: 'a', fence: lease!.fence, now: T0, notes: NO_NOTES }
      await api.store.releaseLease(mine)
      api.now = T0 + 600 * SECOND
      const status = { source: SHIPFOX, waiting: [], refusals: [], state: { kind: 'ok' } } as const
      await api.store.putSourceStatus({ ...status, checkedAt: T0 + 590 * SECOND })
      expect(await health()).toMatchObject({ ok: true, loop: { state: 'idle' } })
      api.now = T0 + (590 + 181) * SECOND
      expect(await health()).toMatchObject({ ok: false, loop: { state: 'stopped' } })
    })

    it('says nothing of a source that was taken out of the settings', async () => {
      await take(20 * SECOND)
      const state = { kind: 'failing', code: 'unauthorized', message: 'said no' } as const
      const gone = { source: sourceId('gone'), checkedAt: T0, waiting: [], refusals: [], state }
      await api.store.putSourceStatus(gone)
      await api.store.putSourceStatus({ ...gone, source: SHIPFOX, state: { kind: 'ok' } })
      expect(await health()).toMatchObject({ ok: true, sources: [{ source: 'shipfox', state: 'ok' }] })
    })

    it('names the secret that is missing, and how a source fails by code alone', async () => {
      await take(20 * SECOND)
      const status = { source: SHIPFOX, checkedAt: T0, waiting: [], refusals: [] }
      await api.store.putSourceStatus({ ...status, state: { kind: 'secret-missing', parameter: PARAMETER } })
      expect(await health()).toMatchObject({
        ok: false,
        sources: [
          { source: 'shipfox', state: 'secret-missing', parameter: PARAMETER, code: null, checkedAt: T0 },
        ],
      })
      await api.store.putSourceStatus({
        ...status,
        state: { kind: 'failing', code: 'unauthorized', message: 'https://internal.example said no' },
      })
      const { text } = await api.ask('GET', '/health')
      expect(text).toContain('unauthorized')
      expect(text).not.toContain('internal.example')
      await api.store.putSourceStatus({ ...status, state: { kind: 'ok' } })
      expect((await health()).ok).toBe(true)
    })

    it('tells nothing of hosts and jobs', async () => {
      await onlineHost(api.store, { id: hostId('very-secret-host') })
      await api.store.putRunner(reserved(1, { labels: ['secret-label'] }), T0)
      expect((await api.ask('GET', '/health')).text).not.toMatch(/very-secret-host|secret-label/)
    })
  })

  describe('requests', () => {
    it('that no route takes are answered with 404', async () => {
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/api/'],
        ['GET', '/api/nothing'],
        ['POST', '/health'],
        ['PUT', '/api/hosts'],
        ['GET', '/api/runners/a/b'],
        ['DELETE', '/api/hosts/'],
      ] as const) {
        const { status, body } = await api.ask(method, path)
        expect([method, path, status, ErrorAnswer.parse(body).code]).toEqual([
          method,
          path,
          404,
          'route-unknown',
        ])
      }
    })

    it('X6: that no authorizer has seen get nowhere', async () => {
      const requestContext = { requestId: 'r', http: { method: 'GET' } }
      for (const path of [
        '/api/hosts',
        '/api/templates',
        '/api/runners',
        '/api/why?labels=a',
        '/api/secrets',
      ]) {
        const { status, body } = await api.ask('GET', path, undefined, { requestContext })
        expect([status, body['code']]).toEqual([403, 'unauthorized'])
      }
    })

    it('are refused where their body is not JSON, of another shape, or too large', async () => {
      const refused = async (body: unknown) => {
        const answer = await api.ask('POST', '/api/hosts', body)
        return [answer.status, answer.body['code']]
      }
      expect(await refused('{')).toEqual([400, 'body-invalid'])
      expect(await refused(undefined)).toEqual([400, 'body-invalid'])
      expect(await refused({ v: 2, host: 'a', tags: [] })).toEqual([400, 'body-invalid'])
      expect(await refused({ v: 1, host: 'A', tags: [] })).toEqual([400, 'body-invalid'])
      expect(await refused({ v: 1, host: 'a', tags: ['ok', 'not ok'] })).toEqual([400, 'body-invalid'])
      expect(await refused('x'.repeat(BODY_MAX_BYTES + 1))).toEqual([413, 'body-too-large'])
      expect((await api.ask('GET', '/api/runners?limit=1000')).body['code']).toBe('query-invalid')
      expect((await api.ask('GET', '/api/why')).body['code']).toBe('query-invalid')
      expect((await api.ask('GET', `/api/why?labels=${encodeURIComponent('a b')}`)).status).toBe(400)
    })

    it('may come as base64', async () => {
      const body = Buffer.from(JSON.stringify({ v: 1, host: 'a', tags: [] })).toString('base64')
      const over = { body, isBase64Encoded: true }
      expect((await api.ask('POST', '/api/hosts', undefined, over)).status).toBe(201)
    })

    it('never repeat what a body said in an answer or a log', async () => {
      const canary = 'sf_pt_CanaryCanary'
      const { text } = await api.ask('POST', '/api/hosts', `{"v":1,"host":"${canary}","tags":"${canary}`)
      const other = await api.ask('POST', '/api/hosts', { v: 1, host: canary, tags: [canary] })
      expect(text + other.text + api.logged()).not.toContain('Canary')
    })
  })

  describe('templates', () => {
    it('O2: that hold mistakes are refused with all of them, each with its place', async () => {
      const text = yamlOf(1).replace('cpu: 1', 'cpu: -1').replace('memory: 1GiB', 'memory: 1 lightyear')
      const { status, body } = await apply(text, null, 'mine.yaml')
      expect(status).toBe(422)
      const { code, message, mistakes } = ErrorAnswer.parse(body)
      expect(code).toBe('config-invalid')
      expect(mistakes!.map(({ file, line, path }) => [file, line, path])).toEqual([
        ['mine.yaml', 5, 'templates.linux.cpu'],
        ['mine.yaml', 6, 'templates.linux.memory'],
      ])
      expect(message.split('\n')).toHaveLength(2)
      expect(await api.store.readTemplatesVersion()).toBe(0)
    })

    it('are only compared until they are based on a version', async () => {
      const planned = await apply(yamlOf(2), null)
      expect(planned.body).toMatchObject({ version: 0, stored: false, templates: 1 })
      expect(planned.body['difference']).toEqual([expect.stringMatching(/^\+ linux: is new/)])
      expect(await api.store.readTemplatesVersion()).toBe(0)
      expect((await apply(yamlOf(2), 0)).body).toMatchObject({ version: 1, stored: true })
      const again = await apply(yamlOf(5), null)
      expect(again.body).toMatchObject({ version: 1, difference: ['~ linux: max_concurrency 2 → 5'] })
    })

    it('are stored with who stored them, text and expansion, and that is told in the log (X27)', async () => {
      await apply(yamlOf(2), 0)
      const { body } = await api.ask('GET', '/api/templates')
      expect(body).toMatchObject({ version: 1, storedAt: T0, storedBy: ANN, text: yamlOf(2), fixedBy: null })
      expect(body['templates']).toMatchObject([{ key: 'linux', maxConcurrency: 2 }])
      const audits = api
        .logged()
        .split('\n')
        .filter((line) => line.includes('audit.'))
      expect(audits).toHaveLength(1)
      expect(JSON.parse(audits[0]!)).toMatchObject({ event: 'audit.templates-stored', by: ANN, version: 1 })
    })

    it('of two writers who saw the same version, one is told of the other', async () => {
      await apply(yamlOf(1), 0)
      expect((await apply(yamlOf(2), 1)).status).toBe(200)
      const late = await apply(yamlOf(3), 1)
      expect([late.status, late.body['code']]).toEqual([409, 'templates-changed'])
      expect(late.body['message']).toContain(ANN)
      expect((await api.ask('GET', '/api/templates')).body).toMatchObject({ version: 2, text: yamlOf(2) })
    })

    it('come back by an undo, as a new version', async () => {
      const undo = (to: number | null, basedOn: number | null) =>
        api.ask('POST', '/api/templates/undo', { v: 1, to, basedOn })
      expect((await undo(null, null)).body['code']).toBe('templates-none')
      await apply(yamlOf(1), 0)
      expect((await undo(null, null)).status).toBe(409)
      await apply(yamlOf(2), 1)
      await apply(yamlOf(3), 2)
      expect((await undo(null, null)).body).toMatchObject({
        version: 3,
        stored: false,
        difference: ['~ linux: max_concurrency 3 → 2'],
      })
      expect((await undo(1, 3)).body).toMatchObject({ version: 4, stored: true })
      expect((await undo(9, 4)).body['code']).toBe('version-unknown')
      expect((await undo(null, 3)).body['code']).toBe('templates-changed')
      expect((await api.ask('GET', '/api/templates')).body).toMatchObject({ version: 4, text: yamlOf(1) })
      const { body } = await api.ask('GET', '/api/templates/versions')
      expect(body['versions']).toMatchObject([{ version: 4 }, { version: 3 }, { version: 2 }, { version: 1 }])
    })

    it('that a hub takes from a file are shown, and not changed', async () => {
      const { templates } = (await import('../../config/index.ts')).parseTemplates(yamlOf(1), 'x')
      api = openApi(api.store, { fixedTemplates: { from: 'my.yaml', text: null, templates } })
      expect((await api.ask('GET', '/api/templates')).body).toMatchObject({ version: 0, fixedBy: 'my.yaml' })
      const { status, body } = await apply(yamlOf(2), 0)
      expect([status, body['code']]).toEqual([409, 'templates-fixed'])
      expect(body['message']).toContain('my.yaml')
      expect(await api.store.readTemplatesVersion()).toBe(0)
    })
  })

  describe('hosts', () => {
    const add = (host: string, tags: readonly string[] = []) =>
      api.ask('POST', '/api/hosts', { v: 1, host, tags })
    const admitted = async (token: string): Promise<boolean> => {
      const log = SILENT_LOG
      const event = {
        type: 'REQUEST',
        methodArn: 'arn',
        headers: { Authorization: `Bearer ${token}` },
      } as const
      const { policyDocument } = await agentAuthorizer({ store: api.store, log })(event)
      return policyDocument.Statement[0]!.Effect === 'Allow'
    }

    it('are let in by the token that is told once, of which the hub keeps a hash (X1, X18)', async () => {
      const { status, body } = await add('build-1', ['big', 'big'])
      expect(status).toBe(201)
      expect(body).toMatchObject({ v: 1, host: 'build-1', hubUrl: 'wss://agents.example/live' })
      const token = String(body['token'])
      expect(await admitted(token)).toBe(true)
      expect(await admitted(`${token.slice(0, -1)}x`)).toBe(false)
      const everything = [
        JSON.stringify(await api.store.readFleet(), (_key, value) =>
          value instanceof Map ? [...value] : value,
        ),
        api.logged(),
        (await api.ask('GET', '/api/hosts')).text,
      ].join()
      expect(everything).toContain('build-1')
      expect(everything).not.toContain(new Secret(token).reveal().slice(-43))
      expect((await api.ask('GET', '/api/hosts')).text).not.toContain('tokenHash')
    })

    it('are added once', async () => {
      const first = await add('build-1')
      const second = await add('build-1')
      expect([second.status, second.body['code']]).toEqual([409, 'host-exists'])
      expect(second.body['token']).toBeUndefined()
      expect(await admitted(String(first.body['token']))).toBe(true)
    })

    it('are listed with what they hold and what keeps them from work', async () => {
      await onlineHost(api.store, { facts: { accepting: false, notAcceptingReason: 'disk full' } })
      await api.store.mergeImages({
        host: H1,
        images: new Map([['x', { state: 'failed', reason: 'no such tag', retryAt: T0 }]]),
        now: T0,
      })
      const { body } = await api.ask('GET', '/api/hosts')
      expect(body['hosts']).toMatchObject([
        {
          host: 'h1',
          state: 'online',
          tags: ['big'],
          accepting: false,
          notAcceptingReason: 'disk full',
          used: { runners: 0 },
          images: [{ image: 'x', state: 'failed', reason: 'no such tag' }],
        },
      ])
    })

    it('X2, H8: that are removed lose their connection, their token and their runners', async () => {
      const { body } = await add('build-1')
      const host = hostId('build-1')
      const connection = connectionId('c1')
      const facts = {
        install: 'i',
        capacity: { runners: 4, cpuMillis: 4_000, memoryMib: 4_096 },
        accepting: true,
        notAcceptingReason: null,
      }
      await api.store.beginSession({ host, connection, facts, now: T0 })
      await api.store.putRunner(reserved(1, { host }), T0)
      const removed = await api.ask('DELETE', '/api/hosts/build-1')
      expect([removed.status, removed.body['host']]).toEqual([200, 'build-1'])
      expect(api.closed).toEqual([connection])
      expect(await admitted(String(body['token']))).toBe(false)
      const { store } = api
      const clock = { now: () => T0, monotonicMs: () => 0, sleep: async () => {} }
      const log = SILENT_LOG
      await sweep({ store, clock, log })
      expect((await store.readFleet()).runners).toMatchObject([{ state: 'gone', code: 'host-removed' }])
      const again = await api.ask('DELETE', '/api/hosts/build-1')
      expect([again.status, again.body['code']]).toEqual([404, 'host-unknown'])
      const audits = api
        .logged()
        .split('\n')
        .filter((line) => line.includes('audit.host-removed'))
      expect(audits).toHaveLength(1)
      expect(JSON.parse(audits[0]!)).toMatchObject({ by: ANN, host: 'build-1' })
    })

    it('are removed also where their connection can not be closed', async () => {
      const gateway = { close: async () => Promise.reject(new Error('no route')) }
      api = openApi(api.store, { gateway })
      await onlineHost(api.store)
      expect((await api.ask('DELETE', '/api/hosts/h1')).status).toBe(200)
      expect(await api.store.getHost(H1)).toBeNull()
      expect(api.logged()).toContain('host.connection-not-closed')
    })

    it('X3: are named by their path alone, and no other name gets through', async () => {
      await addHost(api.store)
      for (const name of ['..', 'h1%2F', '%00', 'H1', 'a'.repeat(64)]) {
        const { status } = await api.ask('DELETE', `/api/hosts/${name}`)
        expect([name, status]).toEqual([name, 400])
      }
      expect(await api.store.getHost(H1)).not.toBeNull()
    })
  })
})
