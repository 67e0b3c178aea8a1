import { beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../../adapters/memory/index.ts'
import { endAgentSession, type SessionPorts, takeAgentMessage } from '../../../../core/flows/index.ts'
import {
  type AgentConnection,
  type AgentMessage,
  connectionId,
  fence,
  firstFence,
  type Host,
  hostId,
  type HubMessage,
  newRunnerId,
  type ReportedEnd,
  type Runner,
  type RunnerId,
  type RunnerOrigin,
  type Sighting,
  sourceId,
  templateKey,
} from '../../../../core/model/index.ts'
import type { FleetStore } from '../../../../core/ports/index.ts'
import { SimClock, SimRandom } from '../../../sim/world/sim-clock.ts'
import { SILENT_LOG } from '../../../support/event-recorder.ts'
import { template } from '../../../support/template.ts'

const ONE = hostId('one')
const ORIGIN: RunnerOrigin = {
  template: templateKey('small'),
  source: sourceId('sim'),
  labels: ['small'],
  reservation: null,
  cpuMillis: 1_000,
  memoryMib: 512,
}
const FINISHED: ReportedEnd = { outcome: 'finished', code: 'exited', reason: 'It ended well.', exitCode: 0 }
const random = new SimRandom(7)

describe('an agent session', () => {
  let store: FleetStore
  let ports: SessionPorts
  let posted: { connection: string; message: HubMessage }[]
  const clock = new SimClock()

  beforeEach(async () => {
    store = createMemoryStore()
    posted = []
    ports = {
      store,
      gateway: {
        async post(connection, message) {
          posted.push({ connection, message })
          return 'posted'
        },
        async close() {},
      },
      templates: () => [template('small')],
      clock,
      log: SILENT_LOG,
    }
    await store.addHost({ id: ONE, tags: [], tokenHash: 'hash', now: clock.now() })
    await store.takeLease({ holder: 'a', build: '1', now: clock.now(), ttlMs: 20_000, handOverAt: null })
  })

  const from = (name: string): AgentConnection => ({ host: ONE, connection: connectionId(name) })

  function hello(install = 'install'): AgentMessage {
    return {
      type: 'hello',
      agentVersion: '1',
      install,
      engine: { kind: 'docker', version: '1', bootId: 'boot' },
      capacity: { cpuMillis: 8_000, memoryMib: 8_192, runners: 8 },
      accepting: true,
      notAcceptingReason: null,
      fence: fence(0),
    }
  }

  async function open(name: string, complete: readonly RunnerId[] = []): Promise<Host> {
    await takeAgentMessage(ports, from(name), hello())
    const host = await theHost()
    await takeAgentMessage(ports, from(name), {
      type: 'snapshot',
      epoch: host.epoch,
      seq: 1,
      entries: [],
      complete,
    })
    return theHost()
  }

  async function theHost(): Promise<Host> {
    const host = await store.getHost(ONE)
    if (host === null) throw new Error('There is no host.')
    return host
  }

  /** A runner that the control loop has claimed and, unless told otherwise, dispatched. */
  async function runner(state: 'reserved' | 'dispatched' | 'running' = 'dispatched'): Promise<RunnerId> {
    const host = await theHost()
    const id = newRunnerId(clock.now(), random.bytes(10))
    const { template: key, cpuMillis, memoryMib } = ORIGIN
    const claims = [{ runner: id, slot: { template: key, cpuMillis, memoryMib } }]
    expect(
      await store.claimSlots({ host: ONE, fence: host.fence, epoch: host.epoch, claims, now: clock.now() }),
    ).not.toBeNull()
    const reserved: Runner = {
      ...ORIGIN,
      state: 'reserved',
      id,
      host: ONE,
      reservation: null,
      reservedAt: clock.now(),
      stop: null,
    }
    await store.putRunner(reserved, clock.now())
    if (state !== 'reserved')
      await store.dispatchRunner({ host: ONE, id, epoch: host.epoch, now: clock.now() })
    if (state === 'running')
      await store.startRunner({ host: ONE, id, startedAt: clock.now(), now: clock.now() })
    return id
  }

  const report = (
    host: Host,
    seq: number,
    id: RunnerId,
    sighting: Sighting,
    cleared = false,
  ): AgentMessage => ({
    type: 'report',
    epoch: host.epoch,
    seq,
    runners: [{ runner: id, sighting, cleared }],
  })

  const stateOf = async (id: RunnerId): Promise<string | undefined> => {
    const found = await store.getRunner(ONE, id)
    return found?.state === 'gone' ? `gone:${found.code}` : found?.state
  }

  it('W13: nothing is posted to a connection before its hello', async () => {
    await endAgentSession(ports, from('never-said-hello'))
    expect(posted).toEqual([])
    await takeAgentMessage(ports, from('c1'), hello())
    expect(posted.map(({ connection, message }) => [connection, message.type])).toEqual([['c1', 'welcome']])
  })

  it('a host takes nothing until its snapshot is complete, and then under the present fence', async () => {
    await takeAgentMessage(ports, from('c1'), hello())
    const syncing = await theHost()
    expect(syncing).toMatchObject({ state: 'syncing', fence: firstFence(clock.now()) + 1 })
    await takeAgentMessage(ports, from('c1'), {
      type: 'snapshot',
      epoch: syncing.epoch,
      seq: 1,
      entries: [],
      complete: null,
    })
    expect((await theHost()).state).toBe('syncing')
    await takeAgentMessage(ports, from('c1'), {
      type: 'snapshot',
      epoch: syncing.epoch,
      seq: 2,
      entries: [],
      complete: [],
    })
    expect((await theHost()).state).toBe('online')
    expect(posted.at(-2)?.message).toMatchObject({ type: 'prefetch', images: [{ image: 'runner:test' }] })
    expect(posted.at(-1)?.message).toEqual({ type: 'ack', epoch: syncing.epoch, seq: 2 })
  })

  it('W6: a late disconnect of the old connection leaves the new session alone', async () => {
    const old = await open('c1')
    await open('c2')
    await endAgentSession(ports, from('c1'))
    expect(await theHost()).toMatchObject({ state: 'online', connection: 'c2', epoch: old.epoch + 1 })
  })

  it('W12: of two connections the newest wins, and the older one is told so and changes nothing', async () => {
    const old = await open('c1')
    const id = await runner()
    await open('c2', [id])
    posted = []
    await takeAgentMessage(
      ports,
      from('c1'),
      report(old, 9, id, { phase: 'exited', agoMs: 0, startedAgoMs: null, end: FINISHED }),
    )
    expect(await stateOf(id)).toBe('dispatched')
    expect(posted).toMatchObject([{ connection: 'c1', message: { type: 'goodbye', code: 'superseded' } }])
  })

  it('W7, W8: reports in any order and number come to the same end', async () => {
    const host = await open('c1')
    const id = await runner()
    const running = report(host, 2, id, { phase: 'running', agoMs: 500 })
    const exited = report(host, 3, id, { phase: 'exited', agoMs: 0, startedAgoMs: 500, end: FINISHED })
    const cleared = report(
      host,
      4,
      id,
      { phase: 'exited', agoMs: 10, startedAgoMs: 510, end: FINISHED },
      true,
    )
    for (const message of [exited, running, cleared, running, exited, cleared])
      await takeAgentMessage(ports, from('c1'), message)
    expect(await stateOf(id)).toBe('gone:exited')
    expect((await theHost()).slots.size).toBe(0)
  })

  it('a page of why a host takes no runners is cut short, and locks nobody out', async () => {
    const page = `<html>${'x'.repeat(20_000)}`
    await open('c1')
    const refusing = { accepting: false, notAcceptingReason: page }
    await takeAgentMessage(ports, from('c2'), { ...hello(), ...refusing })
    const host = await theHost()
    expect(host.accepting).toBe(false)
    expect(host.notAcceptingReason).toHaveLength(500)
    const beat = { accepting: false, notAcceptingReason: `${page}!`, startsPerMinute: 1, nextInMs: 60_000 }
    await takeAgentMessage(ports, from('c2'), { type: 'heartbeat', epoch: host.epoch, seq: 1, ...beat })
    expect((await theHost()).notAcceptingReason).toHaveLength(500)
  })

  it('a slot stays taken from the exit until the container is cleared', async () => {
    const host = await open('c1')
    const id = await runner('running')
    await takeAgentMessage(
      ports,
      from('c1'),
      report(host, 2, id, { phase: 'exited', agoMs: 0, startedAgoMs: 5, end: FINISHED }),
    )
    expect((await theHost()).slots.has(id)).toBe(true)
    await takeAgentMessage(
      ports,
      from('c1'),
      report(host, 3, id, { phase: 'exited', agoMs: 0, startedAgoMs: 5, end: FINISHED }, true),
    )
    expect((await theHost()).slots.has(id)).toBe(false)
  })

  it('H6: a reconnect ends what the host does not know, keeps what it knows, and frees the slots between', async () => {
    await open('c1')
    const [arrived, missed, vanished, reserved] = [
      await runner(),
      await runner(),
      await runner('running'),
      await runner('reserved'),
    ]
    await open('c2', [arrived])
    expect(await stateOf(arrived)).toBe('dispatched')
    expect(await stateOf(missed)).toBe('gone:never-arrived')
    expect(await stateOf(vanished)).toBe('gone:container-vanished')
    expect(await stateOf(reserved)).toBe('reserved')
    expect([...(await theHost()).slots.keys()].toSorted()).toEqual([arrived, reserved].toSorted())
    expect(await store.getRunner(ONE, arrived)).toMatchObject({ epoch: (await theHost()).epoch })
  })

  it('H6: records that the hub lost are rebuilt from the containers that are there', async () => {
    const id = newRunnerId(clock.now(), random.bytes(10))
    await takeAgentMessage(ports, from('c1'), hello())
    const host = await theHost()
    await takeAgentMessage(ports, from('c1'), {
      type: 'snapshot',
      epoch: host.epoch,
      seq: 1,
      entries: [{ runner: id, origin: ORIGIN, sighting: { phase: 'running', agoMs: 1_000 }, cleared: false }],
      complete: [id],
    })
    expect(await store.getRunner(ONE, id)).toMatchObject({
      state: 'running',
      template: 'small',
      source: 'sim',
    })
    expect((await theHost()).slots.get(id)).toMatchObject({ cpuMillis: 1_000, memoryMib: 512 })
  })

  it('E3: a container whose runner was declared lost keeps its room until it is gone, and its record stays ended', async () => {
    await open('c1')
    const id = await runner('running')
    const ending = { outcome: 'lost', code: 'host-dead', reason: 'Declared dead.', exitCode: null } as const
    await store.endRunner({ host: ONE, id, ending, now: clock.now() })
    await store.freeSlot({ host: ONE, runner: id, now: clock.now() })
    await takeAgentMessage(ports, from('c2'), hello())
    const host = await theHost()
    await takeAgentMessage(ports, from('c2'), {
      type: 'snapshot',
      epoch: host.epoch,
      seq: 1,
      entries: [{ runner: id, origin: ORIGIN, sighting: { phase: 'running', agoMs: 1_000 }, cleared: false }],
      complete: [id],
    })
    expect(await stateOf(id)).toBe('gone:host-dead')
    expect((await theHost()).slots.has(id)).toBe(true)
  })

  it('K18: a second installation is refused while the first one lives, and admitted when it is silent', async () => {
    await open('c1')
    await takeAgentMessage(ports, from('c2'), hello('another'))
    expect(posted.at(-1)).toMatchObject({
      connection: 'c2',
      message: { type: 'goodbye', code: 'install-mismatch' },
    })
    expect((await theHost()).connection).toBe('c1')
    await clock.run(300_000)
    await takeAgentMessage(ports, from('c2'), hello('another'))
    expect(await theHost()).toMatchObject({ connection: 'c2', install: 'another' })
  })

  it('an agent of a host that was removed is told that a person has to act', async () => {
    await store.removeHost(ONE)
    await takeAgentMessage(ports, from('c1'), hello())
    expect(posted).toMatchObject([{ message: { type: 'goodbye', code: 'host-unknown', retry: false } }])
  })

  it('X3: whatever host A says, host B stays as it was', async () => {
    await open('c1')
    const victim = await runner('running')
    const before = JSON.stringify(await store.getRunner(ONE, victim))
    const other = hostId('two')
    await store.addHost({ id: other, tags: [], tokenHash: 'other', now: clock.now() })
    const evil: AgentConnection = { host: other, connection: connectionId('evil') }
    await takeAgentMessage(ports, evil, hello())
    const host = await store.getHost(other)
    const messages: AgentMessage[] = [
      {
        type: 'report',
        epoch: host!.epoch,
        seq: 1,
        runners: [
          {
            runner: victim,
            sighting: { phase: 'exited', agoMs: 0, startedAgoMs: null, end: FINISHED },
            cleared: true,
          },
        ],
      },
      { type: 'snapshot', epoch: host!.epoch, seq: 2, entries: [], complete: [] },
      {
        type: 'heartbeat',
        epoch: host!.epoch,
        seq: 3,
        accepting: false,
        notAcceptingReason: 'evil',
        startsPerMinute: 0,
        nextInMs: 1,
      },
    ]
    for (const message of messages) await takeAgentMessage(ports, evil, message)
    expect(JSON.stringify(await store.getRunner(ONE, victim))).toBe(before)
    expect(await theHost()).toMatchObject({ state: 'online', accepting: true })
    expect((await theHost()).slots.has(victim)).toBe(true)
  })
})
