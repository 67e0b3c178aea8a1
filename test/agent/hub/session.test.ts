import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SlipwayError, type AgentMessage, type Epoch } from '../../../core/model/index.ts'
import { eventually } from '../../support/eventually.ts'
import { newRunner, order, ORIGIN, World } from '../harness.ts'
import { ScriptedHub } from '../scripted-hub.ts'

describe('a session with the hub', () => {
  let world: World
  beforeEach(async () => {
    world = await World.open()
  })
  afterEach(async () => world.close())

  it('shows its token in the Authorization header and nowhere else', async () => {
    await world.started()
    expect(world.hub.authorizations).toEqual(['Bearer agent-token-canary'])
    expect(world.hub.frames.join('\n')).not.toContain('agent-token-canary')
    expect(world.traces()).not.toContain('agent-token-canary')
  })

  it('W13: says nothing but hello before the welcome, and nothing but heartbeats before the snapshot is acked', async () => {
    for (let index = 0; index < 3; index += 1) {
      world.engine.place(newRunner(), ORIGIN, { state: 'running', startedAt: Date.now() })
    }
    world.hub.acks = ({ type }) => type !== 'snapshot'
    world.startAgent()
    await eventually('a snapshot', () => world.hub.of('snapshot').length > 0)
    world.hub.settle([newRunner()])
    await eventually('the next connection, for want of an ack', () => world.hub.of('hello').length === 2)
    const kinds = new Set(world.hub.received.map(({ type }) => type))
    kinds.delete('heartbeat')
    expect([...kinds].toSorted()).toEqual(['hello', 'snapshot'])
  })

  it('W13: a launch that comes before the snapshot is not obeyed', async () => {
    const launch = order()
    world.hub.onMessage = ({ type }) => {
      if (type === 'hello') setTimeout(() => world.hub.launch([launch]), 0)
    }
    world.engine.around = async (call, effect) => {
      if (call.method === 'list') await new Promise((resolve) => setTimeout(resolve, 50))
      return effect()
    }
    await world.started()
    await eventually('it was told', () => world.events('agent.launch-too-early').length > 0)
    expect(world.engine.callsOf('create')).toEqual([])
  })

  it('W3: 500 runners are shown in parts, each after the ack of the one before, the last with every id', async () => {
    const runners = Array.from({ length: 500 }, newRunner)
    const labels = Array.from({ length: 20 }, (_, index) => `a-rather-long-label-${index}`)
    for (const runner of runners) {
      world.engine.place(runner, { ...ORIGIN, labels }, { state: 'running', startedAt: Date.now() })
    }
    let unacked = 0
    let most = 0
    world.hub.onMessage = (message) => {
      if (message.type !== 'snapshot') return
      unacked += 1
      most = Math.max(most, unacked)
    }
    world.hub.acks = (message) => {
      if (message.type === 'snapshot') unacked -= 1
      return true
    }
    await world.started()
    const parts = world.hub.of('snapshot')
    expect(parts.length).toBeGreaterThan(5)
    expect(most).toBe(1)
    expect(world.hub.frames.every((frame) => Buffer.byteLength(frame) <= 30_000)).toBe(true)
    expect(parts.slice(0, -1).every(({ complete }) => complete === null)).toBe(true)
    expect(parts.at(-1)?.complete?.toSorted()).toEqual(runners.toSorted())
    expect(parts.flatMap(({ entries }) => entries.map(({ runner }) => runner)).toSorted()).toEqual(
      runners.toSorted(),
    )
  })

  it('W9: a hub that stops acknowledging is left after 15 s, and met again', async () => {
    await world.started()
    world.hub.acks = () => false
    world.hub.settle([newRunner()])
    await eventually('a second hello', () => world.hub.of('hello').length === 2)
    world.hub.acks = () => true
    await world.connected()
    expect(world.failure).toBeNull()
  })

  it('W12: with two sessions open, commands of the older epoch have no effect', async () => {
    await world.started()
    world.hub.cut()
    await eventually('a second session', () => world.hub.epoch === 2 && world.hub.synced)
    const old = order()
    world.hub.launch([old], { epoch: 1 })
    world.hub.stopRunner(newRunner(), { epoch: 1 })
    await eventually('both are refused', () => world.events('agent.command-refused').length === 2)
    expect(world.engine.callsOf('create', 'start', 'stop', 'remove')).toEqual([])
  })

  it('X4: commands of an old fence cause no engine call, whatever they ask', async () => {
    await world.started()
    const running = await (async () => {
      world.hub.fence = 7
      return world.launched()
    })()
    world.engine.calls.length = 0
    world.hub.launch([order()], { fence: 6 })
    world.hub.stopRunner(running, { fence: 6 })
    world.hub.settle([newRunner()], { fence: 6 })
    await eventually('all are refused', () => world.events('agent.command-refused').length === 3)
    expect(world.engine.callsOf('create', 'start', 'stop', 'remove', 'inspect')).toEqual([])
  })

  it('X4: the highest fence survives a restart, and is told in the hello', async () => {
    await world.started()
    world.hub.fence = 7
    await world.launched()
    await world.stopAgent()
    await world.started()
    expect(world.hub.of('hello').at(-1)?.fence).toBe(7)
    world.hub.launch([order()], { fence: 6 })
    await eventually('it is refused', () => world.events('agent.command-refused').length === 1)
  })

  it('a refused token ends an agent that was never let in, with what to do', async () => {
    world.hub.refuseWith = 401
    world.startAgent()
    await world.running
    expect(world.failure).toMatchObject({ code: 'agent-token-refused' })
    expect((world.failure as Error).message).toMatch(/host-1.*[Ee]nrol/)
  })

  it('a token revoked later leaves jobs running and asks again, also after a restart', async () => {
    await world.close()
    world = await World.open(500)
    await world.started()
    const runner = await world.launched()
    world.hub.refuseWith = 403
    world.hub.cut()
    await eventually('it was told', () => world.events('agent.token-refused').length > 0)
    await world.stopAgent()
    world.startAgent()
    await eventually('told again', () => world.events('agent.token-refused').length > 2)
    expect(world.failure).toBeNull()
    expect(world.engine.containers.get(runner)?.seen.state).toBe('running')
    world.hub.refuseWith = null
    await world.connected()
  })

  it('a goodbye without retry ends the agent with what to do; with retry it comes back', async () => {
    await world.started()
    world.hub.send({ type: 'goodbye', code: 'superseded', message: 'A newer session.', retry: true })
    await eventually('it is back', () => world.hub.of('hello').length === 2)
    await world.connected()
    world.hub.send({ type: 'goodbye', code: 'host-unknown', message: 'No such host.', retry: false })
    await world.running
    expect(world.failure).toBeInstanceOf(SlipwayError)
    expect(world.failure).toMatchObject({ code: 'agent-host-unknown' })
    expect((world.failure as Error).message).toContain('uninstall this agent')
  })

  it('heartbeats follow the pace of the welcome, busy or idle', async () => {
    world.hub.heartbeats = { heartbeatIdleMs: 100_000, heartbeatBusyMs: 2_000 }
    await world.started()
    await eventually('a first one', () => world.hub.of('heartbeat').length === 1)
    expect(world.hub.of('heartbeat').at(-1)?.nextInMs).toBe(100_000)
    await world.launched()
    await eventually(
      'four busy ones',
      () => world.hub.of('heartbeat').filter((beat) => beat.nextInMs === 2_000).length >= 4,
    )
  })

  it('W7: a heartbeat waits for the ack of the one before, so that the newest is the last one taken', async () => {
    await world.started()
    await eventually('a first one', () => world.hub.of('heartbeat').length === 1)
    world.hub.acks = (message) => message.type !== 'heartbeat'
    await world.launched()
    await eventually('one without an ack', () => world.hub.of('heartbeat').length === 2)
    world.engine.reachable = false
    world.engine.endStreams(new Error('gone'))
    const refused = order()
    world.hub.launch([refused])
    await world.phase(refused.runner, 'refused')
    expect(world.hub.of('heartbeat').map(({ accepting }) => accepting)).toEqual([true, true])
    const [, { epoch, seq } = { epoch: 0 as never, seq: 0 }] = world.hub.of('heartbeat')
    world.hub.send({ type: 'ack', epoch, seq })
    await eventually('the next one', () => world.hub.of('heartbeat').at(-1)?.accepting === false)
  })

  it('W1: it renews its connection after 80 to 110 minutes', async () => {
    const { clock } = world
    const long: number[] = []
    const hurried = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: async (ms: number, signal?: AbortSignal) => {
        if (ms >= 3_600_000) long.push(ms)
        await clock.sleep(ms >= 3_600_000 ? 4_000 : ms, signal)
      },
    }
    world.startAgent({ clock: hurried })
    await eventually('three sessions', () => world.hub.epoch >= 3)
    expect(world.events('agent.disconnected').every(({ kind }) => kind === 'renew')).toBe(true)
    expect(Math.min(...long)).toBeGreaterThanOrEqual(80 * 60_000)
    expect(Math.max(...long)).toBeLessThanOrEqual(110 * 60_000)
  })

  it('a launch that is just being accepted when its session ends is part of the next snapshot', async () => {
    await world.started()
    for (let round = 0; round < 10; round += 1) {
      const before = world.hub.epoch
      const launches = Array.from({ length: 20 }, () => order())
      world.hub.launch(launches)
      world.hub.send({ type: 'goodbye', code: 'superseded', message: 'now', retry: true })
      await eventually('the next session', () => world.hub.epoch > before && world.hub.synced)
      await eventually(
        'all launches are over',
        () => world.engine.callsOf('start').length === world.events('agent.launch-accepted').length,
      )
      const accepted = new Set(world.events('agent.launch-accepted').map(({ runner }) => runner))
      const complete = new Set(world.hub.of('snapshot').findLast((part) => part.complete !== null)?.complete)
      const here = launches.filter(({ runner }) => accepted.has(runner))
      expect(here.every(({ runner }) => complete.has(runner))).toBe(true)
    }
  })

  it('what it cannot read it leaves out, and goes on', async () => {
    await world.started()
    for (const socket of world.hub.sockets) {
      socket.send('{"v":1,"type":"fly-to-the-moon"}')
      socket.send('not json')
      socket.send(Buffer.from('{}'), { binary: true })
    }
    await eventually('all were told', () => world.events('agent.message-unreadable').length === 3)
    await world.launched()
    expect(world.hub.of('hello')).toHaveLength(1)
  })

  it('a frame above the bound ends the session, not the agent', async () => {
    await world.started()
    for (const socket of world.hub.sockets) socket.send('x'.repeat(40_000))
    await eventually('a new session', () => world.hub.of('hello').length === 2)
    await world.connected()
    expect(world.failure).toBeNull()
  })

  it('W8: everything the hub says twice has one effect', async () => {
    await world.started()
    const launch = order()
    for (let time = 0; time < 3; time += 1) world.hub.launch([launch, launch])
    await world.phase(launch.runner, 'running')
    world.hub.launch([launch])
    const unknown = newRunner()
    for (let time = 0; time < 3; time += 1) world.hub.settle([unknown, launch.runner])
    await world.phase(unknown, 'refused')
    for (let time = 0; time < 3; time += 1) world.hub.stopRunner(launch.runner)
    await world.cleared(launch.runner)
    for (const { epoch, seq } of world.hub.of('report')) world.hub.send({ type: 'ack', epoch, seq })
    expect(world.engine.callsOf('create')).toHaveLength(1)
    expect(world.engine.startsBySecret.get(`canary-${launch.runner}`)).toBe(1)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ outcome: 'failed', code: 'stopped' })
  })

  it('a runner settled as unknown is never started, should its launch come later', async () => {
    await world.started()
    const late = order()
    world.hub.settle([late.runner])
    await world.phase(late.runner, 'refused')
    expect(world.hub.endOf(late.runner)?.code).toBe('never-arrived')
    world.hub.launch([late])
    await world.stopAgent()
    await world.started()
    world.hub.launch([late])
    const other = await world.launched()
    expect(world.engine.callsOf('create').map(({ runner }) => runner)).toEqual([other])
  })

  it('reports that were not acknowledged are said again in the next session', async () => {
    await world.started()
    const runner = await world.launched()
    world.hub.acks = ({ type }) => type !== 'report'
    world.engine.exit(runner, 0)
    await eventually('a report', () =>
      world.hub.of('report').some((report) => report.runners.some((one) => one.sighting.phase === 'exited')),
    )
    expect(world.hub.phaseOf(runner)).toBe('running')
    world.hub.acks = () => true
    world.hub.cut()
    await world.cleared(runner)
    expect(world.hub.endOf(runner)?.outcome).toBe('finished')
  })

  it('while the hub is away jobs run and end; 100 ends reach it when it is back', async () => {
    await world.started()
    const launches = Array.from({ length: 100 }, () => order())
    world.hub.launch(launches)
    await eventually('all run', () => launches.every(({ runner }) => world.hub.phaseOf(runner) === 'running'))
    const { port } = world.hub
    await world.hub.stop()
    for (const { runner } of launches) world.engine.exit(runner, 0)
    await eventually('all are removed', () => world.engine.containers.size === 0)
    world.hub = await ScriptedHub.start(port)
    world.hub.epoch = 10
    await eventually('all are told', () =>
      launches.every(({ runner }) => world.hub.runners.get(runner)?.cleared === true),
    )
    expect(new Set(launches.map(({ runner }) => world.hub.endOf(runner)?.outcome))).toEqual(
      new Set(['finished']),
    )
  })

  it('a stop of the agent flushes its reports and leaves jobs running for the next one', async () => {
    await world.started()
    const runner = await world.launched()
    const ending = await world.launched()
    world.engine.exit(ending, 3)
    await world.stopAgent()
    expect(world.hub.phaseOf(ending)).toBe('exited')
    expect(world.hub.of('heartbeat').at(-1)?.accepting).toBe(false)
    expect(world.engine.containers.get(runner)?.seen.state).toBe('running')
    await world.started()
    const shown = world.hub.of('snapshot').at(-1)
    expect(shown?.complete).toContain(runner)
    world.engine.exit(runner, 0)
    await world.cleared(runner)
    expect(world.hub.endOf(runner)?.outcome).toBe('finished')
  })

  it('facts that change are told in a new hello', async () => {
    await world.started()
    world.engine.facts = { ...world.engine.facts, capacity: { cpuMillis: 1_000, memoryMib: 1_024 } }
    await eventually('a second hello', () => world.hub.of('hello').length === 2)
    expect(world.hub.of('hello').at(-1)?.capacity).toEqual({
      cpuMillis: 1_000,
      memoryMib: 1_024,
      runners: 500,
    })
  })

  it('its owner caps what it offers', async () => {
    world.caps = { cpuMillis: 2_000, runners: 3 }
    await world.started()
    expect(world.hub.of('hello')[0]?.capacity).toEqual({ cpuMillis: 2_000, memoryMib: 262_144, runners: 3 })
  })

  it('numbers rise from 1 in every session, and every one is used once', async () => {
    await world.started()
    await world.launched()
    world.hub.cut()
    await eventually('a second session', () => world.hub.epoch === 2 && world.hub.synced)
    const numbersOf = (epoch: number): number[] =>
      world.hub.received.flatMap((message: AgentMessage) =>
        'seq' in message && message.epoch === (epoch as Epoch) ? [message.seq] : [],
      )
    for (const epoch of [1, 2]) {
      const numbers = numbersOf(epoch)
      expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    }
  })
})
