import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type SessionPorts, StoredTemplates, sweep, takeAgentMessage } from '../../../core/flows/index.ts'
import { connectionId, fence, NO_NOTES, sourceId } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import {
  addHost,
  claim,
  claimsOf,
  H1,
  H2,
  onlineHost,
  reserved,
  rid,
  SECOND,
  T0,
} from '../../contract/store-fixtures.ts'
import { openApi, yamlOf } from '../../lambdas/http-api-fixtures.ts'
import { template } from '../../support/template.ts'
import { type RawTable, useBenches } from './bench.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

/*
 * L14: one damaged item of each kind. It is told, nothing is done about it, and everything else has its turn.
 */

const open = useBenches()

function portsOf(store: FleetStore, now: number) {
  const log = new EventRecorder()
  const ports = {
    store,
    gateway: { post: async () => 'posted', close: async () => {} },
    templates: () => [],
    clock: { now: () => now, monotonicMs: () => now, sleep: async () => {} },
    log,
  } satisfies SessionPorts
  return { ports, log }
}

async function spoil(raw: RawTable, pk: string, sk: string, change: Record<string, unknown>): Promise<void> {
  await raw.put({ ...(await raw.get(pk, sk)), pk, sk, ...change })
}

describe('L14: a damaged', () => {
  it.each<[string, string, Record<string, unknown>]>([
    ['host', 'HOST', { slots: 'none' }],
    ['sign of life', 'LIVE', { epoch: 'yesterday' }],
    ['list of images', 'IMAGES', { images: 7 }],
    ['runner', `RUNNER#${rid(1)}`, { state: 'hibernating' }],
  ])('%s of one host keeps no other from being swept, and is an alarm', async (_, sk, change) => {
    const { store, raw } = await open()
    await onlineHost(store)
    await store.putRunner(reserved(1), T0)
    await addHost(store, H2)
    const facts = { install: 'i2', capacity: { runners: 1, cpuMillis: 1, memoryMib: 1 } }
    const session = { host: H2, connection: connectionId('c2'), now: T0 }
    await store.beginSession({ ...session, facts: { ...facts, accepting: true, notAcceptingReason: null } })
    await spoil(raw, 'HOST#h1', sk, change)
    const { ports, log } = portsOf(store, T0 + 3_600 * SECOND)
    await sweep(ports)
    expect((await store.getHost(H2))?.state).toBe('offline')
    expect(log.events('sweep.done')[0]?.violations).toBe(1)
    expect(log.names).toContain('store.item-unreadable')
  })

  it('sign of life does not make its host silent', async () => {
    const { store, raw } = await open()
    await onlineHost(store)
    await spoil(raw, 'HOST#h1', 'LIVE', { epoch: 'yesterday' })
    await sweep(portsOf(store, T0 + 3_600 * SECOND).ports)
    expect((await store.getHost(H1))?.state).toBe('online')
  })

  it('runner does not keep its host in syncing: its slot is kept, the others are settled', async () => {
    const { store, raw } = await open()
    const host = await onlineHost(store)
    await claim(store, host, claimsOf(1, 2))
    for (const n of [1, 2]) {
      await store.putRunner(reserved(n), T0)
      await store.dispatchRunner({ host: H1, id: rid(n), epoch: host.epoch, now: T0 })
    }
    await spoil(raw, 'HOST#h1', `RUNNER#${rid(1)}`, { state: 'hibernating' })
    const { ports, log } = portsOf(store, T0 + SECOND)
    const from = { host: H1, connection: connectionId('c9') }
    await takeAgentMessage(ports, from, {
      type: 'hello',
      agentVersion: '1',
      install: 'install-1',
      engine: { kind: 'docker', version: '1', bootId: 'boot' },
      capacity: host.capacity,
      accepting: true,
      notAcceptingReason: null,
      fence: fence(0),
    })
    const { epoch } = (await store.getHost(H1))!
    await takeAgentMessage(ports, from, { type: 'snapshot', epoch, seq: 1, entries: [], complete: [] })
    const after = (await store.getHost(H1))!
    expect(after.state).toBe('online')
    expect([...after.slots.keys()]).toContain(rid(1))
    expect(await store.getRunner(H1, rid(2))).toMatchObject({ state: 'gone', code: 'never-arrived' })
    expect(log.events('store.item-unreadable').length).toBeGreaterThan(0)
    const runners = [{ runner: rid(1), sighting: { phase: 'running' as const, agoMs: 0 }, cleared: false }]
    await takeAgentMessage(ports, from, { type: 'report', epoch, seq: 2, runners })
  })

  it.each<[string, Uint8Array]>([
    ['nothing that was ever packed', Uint8Array.of(1, 2, 3)],
    ['no templates', deflateSync('{"text":7}')],
  ])(
    'current version of the templates (%s) is told as such, and replaced by the next one',
    async (_, packed) => {
      const { store, raw } = await open()
      const facts = { storedAt: T0, storedBy: 'ann', text: 'a', templates: [template('small')] }
      await store.putTemplateVersion({ ...facts, version: 1 }, 0)
      await spoil(raw, 'TEMPLATES', 'CURRENT', { packed })
      const inForce = new StoredTemplates(portsOf(store, T0).ports)
      expect(await inForce.refresh()).toBe(true)
      expect(inForce.problem).toMatchObject({ code: 'templates-unreadable' })
      const api = openApi(store)
      const asked = { v: 1, text: yamlOf(4), file: 'templates.yaml', basedOn: null }
      expect(await api.ask('POST', '/api/templates/apply', asked)).toMatchObject({
        status: 200,
        body: { version: 1 },
      })
      const stored = await api.ask('POST', '/api/templates/apply', { ...asked, basedOn: 1 })
      expect(stored).toMatchObject({ status: 200, body: { version: 2, stored: true } })
      expect(await inForce.refresh()).toBe(true)
      expect(inForce.problem).toBeNull()
    },
  )

  it('version of the templates stops planning, and says so; the next one is taken up', async () => {
    const { store, raw } = await open()
    const facts = { storedAt: T0, storedBy: 'ann', text: '', templates: [template('small')] }
    await store.putTemplateVersion({ ...facts, version: 1 }, 0)
    const { ports } = portsOf(store, T0)
    const inForce = new StoredTemplates(ports)
    expect(await inForce.refresh()).toBe(true)
    expect(inForce.templates).toHaveLength(1)
    const whole = await raw.get('TEMPLATES', 'CURRENT')
    await raw.put({ ...whole, version: 'two' })
    expect(await inForce.refresh()).toBe(true)
    expect(inForce.templates).toEqual([])
    expect(inForce.problem).toMatchObject({ code: 'templates-unreadable' })
    expect(await inForce.refresh()).toBe(false)
    await raw.put(whole)
    expect(await inForce.refresh()).toBe(true)
    expect(inForce.problem).toBeNull()
  })

  it('status of a source hides no other, and is replaced by the next', async () => {
    const { store, raw } = await open()
    const status = { checkedAt: T0, state: { kind: 'ok' as const }, waiting: [], refusals: [] }
    for (const name of ['one', 'two']) await store.putSourceStatus({ ...status, source: sourceId(name) })
    await spoil(raw, 'SOURCES', 'one', { state: 'fine' })
    expect((await store.readSourceStatuses()).map(({ source }) => source)).toEqual(['two'])
    await store.putSourceStatus({ ...status, source: sourceId('one') })
    expect(await store.readSourceStatuses()).toHaveLength(2)
  })

  it('note of the last planner is no reason not to plan: its successor looks for itself', async () => {
    const { store, raw } = await open()
    const request = { holder: 'ann', build: 'b1', now: T0, ttlMs: 20_000, handOverAt: null }
    await store.takeLease(request)
    await spoil(raw, 'FLEET', 'LEASE', { notes: { mintWindows: 'many' } })
    expect(await store.readLease()).toMatchObject({ holder: 'ann', notes: NO_NOTES })
    const next = await store.takeLease({ ...request, holder: 'bob', now: T0 + 60 * SECOND })
    expect(next).toMatchObject({ holder: 'bob', notes: NO_NOTES })
  })
})
