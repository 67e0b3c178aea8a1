import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineError } from '../../../agent/engines/engine.ts'
import { eventually } from '../../support/eventually.ts'
import { newRunner, order, ORIGIN, World } from '../harness.ts'

describe('exits and surprises of the engine', () => {
  let world: World
  beforeEach(async () => {
    world = await World.open(30)
  })
  afterEach(async () => world.close())

  it.each([
    ['exit 0', 0, {}, { outcome: 'finished', code: 'exited' }],
    ['exit 3', 3, {}, { outcome: 'failed', code: 'exited-with-error', exitCode: 3 }],
    [
      'K15: the kernel ends it for memory',
      137,
      { oomKilled: true },
      { outcome: 'failed', code: 'out-of-memory' },
    ],
    [
      'K15: exit 0 of one that outlived a process which was ended for memory',
      0,
      { oomKilled: true },
      {
        outcome: 'finished',
        code: 'exited',
        reason: expect.stringContaining('more memory than its template allows') as string,
      },
    ],
    [
      'K4: a phantom with exit code 0',
      0,
      { state: 'dead' as const },
      { outcome: 'lost', code: 'container-vanished' },
    ],
  ])('%s is told as it was', async (_name, exitCode, facts, end) => {
    await world.started()
    const runner = await world.launched()
    world.engine.exit(runner, exitCode, facts)
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject(end)
  })

  it('K10: exit 0 across a reboot is lost, never finished', async () => {
    await world.started()
    const runner = await world.launched()
    await world.stopAgent()
    world.engine.facts = { ...world.engine.facts, bootId: 'boot-2' }
    world.engine.exit(runner, 0)
    await world.started()
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject({ outcome: 'lost', code: 'host-rebooted' })
  })

  it('an exit that no journal knows the start of is lost, never finished', async () => {
    const runner = newRunner()
    world.engine.place(runner, ORIGIN, { state: 'exited', startedAt: 1, finishedAt: 2, exitCode: 0 })
    await world.started()
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject({ outcome: 'lost' })
  })

  it('a container that someone else removed is lost, once two looks agree', async () => {
    await world.started()
    const runner = await world.launched()
    world.engine.vanish(runner)
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject({ outcome: 'lost', code: 'container-vanished' })
    expect(world.engine.callsOf('inspect').length).toBeGreaterThan(0)
  })

  it('K7: an exit between subscribing and listing is found by the list', async () => {
    await world.started()
    const runner = await world.launched()
    world.engine.deaf = true
    world.engine.exit(runner, 0)
    await world.cleared(runner)
    expect(world.hub.endOf(runner)?.outcome).toBe('finished')
  })

  it('K6: an event stream that ends is opened again, and the gap is listed', async () => {
    await world.started()
    const runner = await world.launched()
    world.engine.deaf = true
    world.engine.exit(runner, 0)
    world.engine.deaf = false
    world.engine.endStreams(new Error('unexpected EOF'))
    await world.cleared(runner)
    await eventually('a stream', () => world.engine.streams === 1)
    world.engine.endStreams()
    await eventually('a stream again', () => world.engine.streams === 1)
    await world.launched()
    expect(world.failure).toBeNull()
  })

  it('K11: a container is removed only when its end stands in the journal', async () => {
    await world.started()
    const runner = await world.launched()
    let journalAtRemoval = ''
    world.engine.around = async (call, effect) => {
      if (call.method === 'remove') journalAtRemoval = world.traces()
      return effect()
    }
    world.engine.exit(runner, 0)
    await world.cleared(runner)
    expect(journalAtRemoval).toMatch(new RegExp(`"record":"exited","runner":"${runner}"`))
  })

  it('K4: a removal that fails is tried again, and the slot is not given back before', async () => {
    await world.started()
    const runner = await world.launched()
    let busy = 2
    world.engine.around = async (call, effect) => {
      if (call.method === 'remove' && busy > 0) {
        busy -= 1
        throw new EngineError('refused', 'device or resource busy')
      }
      return effect()
    }
    world.engine.exit(runner, 1)
    await world.phase(runner, 'exited')
    expect(world.hub.runners.get(runner)?.cleared).toBe(false)
    await world.cleared(runner)
    expect(busy).toBe(0)
    await eventually('one crash report', () => world.hub.of('black-box').length === 1)
  })

  it('S7: an engine that is away means no launches, said at once; back, it lists before it takes any', async () => {
    await world.started()
    const running = await world.launched()
    world.engine.reachable = false
    world.engine.endStreams(new Error('gone'))
    await eventually('not accepting', () => world.hub.of('heartbeat').at(-1)?.accepting === false)
    expect(world.hub.of('heartbeat').at(-1)?.notAcceptingReason).toContain('ECONNREFUSED')
    const refused = order()
    world.hub.launch([refused])
    await world.phase(refused.runner, 'refused')
    expect(world.hub.endOf(refused.runner)?.code).toBe('engine-unreachable')
    expect(world.hub.phaseOf(running)).toBe('running')
    world.engine.reachable = true
    await eventually('accepting', () => world.hub.of('heartbeat').at(-1)?.accepting === true)
    await world.launched()
  })

  it('unknown is not absent: while the engine is away, a new session stays without a snapshot', async () => {
    const runner = newRunner()
    world.engine.place(runner, ORIGIN, { state: 'running', startedAt: Date.now() })
    world.engine.reachable = false
    world.hub.heartbeats = { heartbeatIdleMs: 2_000, heartbeatBusyMs: 2_000 }
    world.startAgent()
    await eventually('heartbeats', () => world.hub.of('heartbeat').length > 2)
    expect(world.hub.of('hello')[0]).toMatchObject({ accepting: false })
    expect(world.hub.of('snapshot')).toEqual([])
    world.engine.reachable = true
    await world.connected()
    expect(world.hub.of('snapshot').at(-1)?.complete).toEqual([runner])
    expect(world.hub.of('hello').at(-1)?.capacity.runners).toBe(500)
  })

  it('K1: a container whose inspection hangs holds up no other', async () => {
    await world.started()
    const stuck = await world.launched()
    const others = await Promise.all(Array.from({ length: 20 }, async () => world.launched()))
    world.engine.around = async (call, effect) => {
      if (call.runner === stuck && call.method === 'inspect') {
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        throw new EngineError('unreachable', 'no answer in time')
      }
      return effect()
    }
    for (const runner of [stuck, ...others]) world.engine.exit(runner, 0)
    await Promise.all(others.map(async (runner) => world.cleared(runner)))
    expect(world.hub.phaseOf(stuck)).toBe('running')
  })

  it('a runner that lives too long is stopped, also with the hub away, and says why', async () => {
    await world.started()
    const runner = await world.launched({ maxLifetimeMs: 3_000 })
    world.hub.cut()
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject({ outcome: 'failed', code: 'max-lifetime' })
  })

  it('K19: a clock that jumps an hour ahead or back ends nothing', async () => {
    await world.started()
    const runners = await Promise.all(
      Array.from({ length: 5 }, async () => world.launched({ maxLifetimeMs: 600_000 })),
    )
    for (const jumpMs of [3_600_000, -7_200_000]) {
      world.clock.jumpMs += jumpMs
      const lists = world.engine.callsOf('list').length
      await eventually('two listings', () => world.engine.callsOf('list').length >= lists + 2)
    }
    expect(world.engine.callsOf('stop')).toEqual([])
    expect(runners.every((runner) => world.hub.phaseOf(runner) === 'running')).toBe(true)
  })

  it('K19, inv. 13: an engine whose clock is an hour behind shortens no life that has just begun', async () => {
    world.engine.now = () => world.clock.now() - 3_600_000
    await world.started()
    const runner = await world.launched({ maxLifetimeMs: 600_000 })
    const lists = world.engine.callsOf('list').length
    await eventually('two listings', () => world.engine.callsOf('list').length >= lists + 2)
    expect(world.engine.callsOf('stop')).toEqual([])
    expect(world.hub.phaseOf(runner)).toBe('running')
  })

  it('K19: lifetimes go on after a restart of the agent', async () => {
    await world.started()
    const runner = await world.launched({ maxLifetimeMs: 8_000 })
    await world.stopAgent()
    await world.started()
    await world.cleared(runner)
    expect(world.hub.endOf(runner)?.code).toBe('max-lifetime')
  })

  it('failed containers are kept for a look: the newest, and not for ever', async () => {
    world.retention = { ms: 120_000, max: 2 }
    await world.started()
    const failures = []
    for (let index = 0; index < 4; index += 1) {
      const runner = await world.launched()
      world.engine.exit(runner, 1)
      await world.cleared(runner)
      failures.push(runner)
    }
    const finished = await world.launched()
    world.engine.exit(finished, 0)
    await world.cleared(finished)
    await eventually('two are kept', () => world.engine.containers.size === 2)
    expect([...world.engine.containers.keys()]).toEqual(failures.slice(2))
    await world.stopAgent()
    await world.started()
    expect(world.hub.of('snapshot').at(-1)?.complete).toEqual([])
    await eventually('none is kept', () => world.engine.containers.size === 0)
  })

  it('K1: kept containers whose removal hangs are not asked for again meanwhile, and hold up no other', async () => {
    world.retention = { ms: 10_000, max: 5 }
    await world.started()
    const kept = await Promise.all(Array.from({ length: 3 }, async () => world.launched()))
    for (const runner of kept) world.engine.exit(runner, 1)
    await Promise.all(kept.map(async (runner) => world.cleared(runner)))
    let hangs = true
    world.engine.around = async (call, effect) => {
      if (call.method !== 'remove' || !kept.includes(call.runner!)) return effect()
      await eventually('the engine lets go', () => !hangs)
      return effect()
    }
    await eventually('their removal hangs', () => world.engine.callsOf('remove').length >= kept.length)
    const lists = world.engine.callsOf('list').length
    await eventually('three listings', () => world.engine.callsOf('list').length >= lists + 3)
    expect(world.engine.callsOf('remove')).toHaveLength(kept.length)
    const other = await world.launched()
    world.engine.exit(other, 0)
    await world.cleared(other)
    hangs = false
    await eventually('none is kept', () => world.engine.containers.size === 0)
  })

  it('images that the hub wants are pulled, and their states told', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') await new Promise((resolve) => setTimeout(resolve, 30))
      if (call.method === 'pull' && failing) throw new EngineError('registry-unavailable', 'try later')
      return effect()
    }
    let failing = true
    await world.started()
    const pull = { kind: 'if-not-present' } as const
    world.hub.send({
      type: 'prefetch',
      command: 'p1',
      epoch: 1 as never,
      images: [
        { image: 'image:1', pull },
        { image: 'fresh:1', pull },
      ],
    })
    const stateOf = (image: string): string | undefined =>
      world.hub
        .of('images')
        .flatMap(({ images }) => images)
        .findLast((told) => told.image === image)?.status.state
    await eventually('the present one', () => stateOf('image:1') === 'present')
    await eventually('the failed one', () => stateOf('fresh:1') === 'failed')
    failing = false
    await eventually('it is tried again', () => stateOf('fresh:1') === 'present')
    expect(
      world.hub
        .of('images')
        .flatMap(({ images }) => images)
        .some(({ status }) => status.state === 'pulling'),
    ).toBe(true)
    world.hub.cut()
    const before = world.hub.of('images').length
    await eventually('told again in the next session', () => world.hub.of('images').length > before)
  })

  it('K12: an image that could not be pulled is taken as present once somebody has loaded it by hand', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') throw new EngineError('registry-unavailable', 'no such registry')
      return effect()
    }
    await world.started()
    const pull = { kind: 'if-not-present' } as const
    const images = [{ image: 'loaded:1', pull }]
    world.hub.send({ type: 'prefetch', command: 'p1', epoch: 1 as never, images })
    const states = (): readonly string[] =>
      world.hub.of('images').flatMap((told) => told.images.map(({ status }) => status.state))
    await eventually('its failure is told', () => states().at(-1) === 'failed')
    world.engine.images.add('loaded:1')
    await eventually('it is told as present', () => states().at(-1) === 'present')
    expect(world.engine.callsOf('create')).toEqual([])
  })

  it('an image with a time to live is refreshed in the background, without holding up launches', async () => {
    await world.started()
    const pull = { kind: 'ttl', ttlMs: 20_000 } as const
    world.hub.send({
      type: 'prefetch',
      command: 'p1',
      epoch: 1 as never,
      images: [{ image: 'image:1', pull }],
    })
    await eventually('three pulls', () => world.engine.pulls >= 3)
    await world.launched({ pull })
    expect(world.engine.callsOf('create')).toHaveLength(1)
  })
})
