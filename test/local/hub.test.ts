import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HOST_DEAD_AFTER_MS } from '../../core/flows/index.ts'
import { connectionId, LOCAL_HOST, type LogEvent, type LogEventName, Secret } from '../../core/model/index.ts'
import { openLocalHub } from '../../local/hub.ts'
import { LOCAL_ADAPTERS } from '../../local/adapters.ts'

let stateDir: string

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'slipway-hub-'))
})

afterEach(async () => {
  await rm(stateDir, { recursive: true })
})

it('E3: a host that could not connect while the hub was down is not dead for that when it starts again', async () => {
  const stop = new AbortController()
  const events: LogEventName[] = []
  const emit = ({ name }: LogEvent): void => {
    events.push(name)
    if (name === 'lease.taken') stop.abort()
  }
  const hub = await openLocalHub({
    stateDir,
    listenOn: { host: '127.0.0.1', port: 0 },
    templates: [],
    sources: [],
    hosts: [{ id: LOCAL_HOST, tags: [], token: new Secret('token') }],
    build: '1',
    log: { emit },
    adapters: LOCAL_ADAPTERS,
  })
  try {
    const session = { host: LOCAL_HOST, connection: connectionId('before') }
    const now = Date.now() - HOST_DEAD_AFTER_MS - 60_000
    const facts = {
      install: 'install',
      capacity: { cpuMillis: 1_000, memoryMib: 512, runners: 1 },
      accepting: true,
      notAcceptingReason: null,
    }
    await hub.store.beginSession({ ...session, facts, now })
    await hub.store.endSession({ ...session, now })
    await hub.run({ drain: stop.signal, stop: stop.signal, stayUntil: 'launched' })
    expect(events).toContain('lease.taken')
    expect((await hub.store.getHost(LOCAL_HOST))?.state).toBe('offline')
  } finally {
    await hub.close()
  }
})
