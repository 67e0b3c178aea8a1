import { beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../../adapters/memory/index.ts'
import { type SessionPorts, takeAgentMessage } from '../../../../core/flows/index.ts'
import {
  type AgentMessage,
  connectionId,
  fence,
  type Host,
  hostId,
  newRunnerId,
  type RunnerId,
  type SnapshotEntry,
  sourceId,
  templateKey,
} from '../../../../core/model/index.ts'
import type { FleetStore } from '../../../../core/ports/index.ts'
import { SimClock, SimRandom } from '../../../sim/world/sim-clock.ts'
import { SILENT_LOG } from '../../../support/event-recorder.ts'
import { template } from '../../../support/template.ts'

const ONE = hostId('one')
const SLOT = { template: templateKey('small'), cpuMillis: 1_000, memoryMib: 512 }
const ORIGIN = { ...SLOT, source: sourceId('sim'), labels: ['small'], reservation: null }
const random = new SimRandom(7)

describe('a snapshot that comes late, twice, or beside a launch', () => {
  let store: FleetStore
  let ports: SessionPorts
  const clock = new SimClock()

  beforeEach(async () => {
    store = createMemoryStore()
    ports = portsOf(store)
    await store.addHost({ id: ONE, tags: [], tokenHash: 'hash', now: clock.now() })
    await store.takeLease({ holder: 'a', build: '1', now: clock.now(), ttlMs: 20_000, handOverAt: null })
  })

  function portsOf(through: FleetStore): SessionPorts {
    return {
      store: through,
      gateway: { post: async () => 'posted', close: async () => {} },
      templates: () => [template('small')],
      clock,
      log: SILENT_LOG,
    }
  }

  const from = (name: string) => ({ host: ONE, connection: connectionId(name) })

  async function greet(name: string): Promise<Host> {
    await takeAgentMessage(ports, from(name), {
      type: 'hello',
      agentVersion: '1',
      install: 'install',
      engine: { kind: 'docker', version: '1', bootId: 'boot' },
      capacity: { cpuMillis: 8_000, memoryMib: 8_192, runners: 8 },
      accepting: true,
      notAcceptingReason: null,
      fence: fence(0),
    })
    return theHost()
  }

  async function theHost(): Promise<Host> {
    const host = await store.getHost(ONE)
    if (host === null) throw new Error('There is no host.')
    return host
  }

  function snapshot(host: Host, entries: readonly SnapshotEntry[] = []): AgentMessage {
    const complete = entries.map(({ runner }) => runner)
    return { type: 'snapshot', epoch: host.epoch, seq: 1, entries, complete }
  }

  async function claim(): Promise<RunnerId> {
    const host = await theHost()
    const id = newRunnerId(clock.now(), random.bytes(10))
    const claims = [{ runner: id, slot: SLOT }]
    const claimed = await store.claimSlots({
      host: ONE,
      fence: host.fence,
      epoch: host.epoch,
      claims,
      now: clock.now(),
    })
    expect(claimed).not.toBeNull()
    const facts = { id, ...ORIGIN, host: ONE, reservation: null, reservedAt: clock.now(), stop: null }
    await store.putRunner({ ...facts, state: 'reserved' }, clock.now())
    return id
  }

  async function launched(): Promise<RunnerId> {
    const id = await claim()
    const now = clock.now()
    await store.dispatchRunner({ host: ONE, id, epoch: (await theHost()).epoch, now })
    await store.startRunner({ host: ONE, id, startedAt: now, now })
    return id
  }

  const stateOf = async (id: RunnerId): Promise<string | undefined> => (await store.getRunner(ONE, id))?.state

  it('W8: repeated after launches, it ends none of them and takes no slot', async () => {
    const host = await greet('c1')
    const ended = newRunnerId(clock.now(), random.bytes(10))
    const entry: SnapshotEntry = {
      runner: ended,
      origin: ORIGIN,
      sighting: { phase: 'running', agoMs: 10 },
      cleared: false,
    }
    await takeAgentMessage(ports, from('c1'), snapshot(host, [entry]))
    const end = { outcome: 'finished', code: 'exited', reason: 'It ended well.', exitCode: 0 } as const
    const sighting = { phase: 'exited', agoMs: 0, startedAgoMs: 10, end } as const
    await takeAgentMessage(ports, from('c1'), {
      type: 'report',
      epoch: host.epoch,
      seq: 2,
      runners: [{ runner: ended, sighting, cleared: true }],
    })
    const id = await launched()
    await takeAgentMessage(ports, from('c1'), snapshot(host, [entry]))
    expect(await stateOf(id)).toBe('running')
    expect([...(await theHost()).slots.keys()]).toEqual([id])
  })

  it('W7: held up until a newer session has launched, it ends none of its runners', async () => {
    const old = await greet('c1')
    let late: RunnerId | null = null
    const slow: FleetStore = {
      ...store,
      async listLiveRunners(host) {
        const next = await greet('c2')
        await takeAgentMessage(ports, from('c2'), snapshot(next))
        late = await launched()
        return store.listLiveRunners(host)
      },
    }
    await takeAgentMessage(portsOf(slow), from('c1'), snapshot(old))
    expect(await stateOf(late!)).toBe('running')
  })

  it('a launch under its own session is none of its business: it may have been sent after it', async () => {
    await takeAgentMessage(ports, from('c1'), snapshot(await greet('c1')))
    const id = await claim()
    const host = await greet('c2')
    await store.dispatchRunner({ host: ONE, id, epoch: host.epoch, now: clock.now() })
    await takeAgentMessage(ports, from('c2'), snapshot(host))
    expect(await stateOf(id)).toBe('dispatched')
    expect((await theHost()).state).toBe('online')
  })
})
