import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineError } from '../../../agent/engines/engine.ts'
import { eventually } from '../../support/eventually.ts'
import { newRunner, order, World } from '../harness.ts'

function unreachable(): EngineError {
  return new EngineError('unreachable', 'no answer in time')
}

describe('launching', () => {
  let world: World
  beforeEach(async () => {
    world = await World.open()
    await world.started()
  })
  afterEach(async () => world.close())

  it('a runner is accepted, runs, ends, and is cleared away', async () => {
    const runner = await world.launched()
    expect(world.events('runner.started')[0]).toEqual({
      name: 'runner.started',
      runner,
      startedAt: world.engine.containers.get(runner)?.seen.startedAt,
    })
    world.engine.exit(runner, 0)
    await world.cleared(runner)
    expect(world.hub.endOf(runner)).toMatchObject({ outcome: 'finished', code: 'exited', exitCode: 0 })
    expect(world.engine.containers.size).toBe(0)
    expect(world.events('runner.cleared')).toEqual([{ name: 'runner.cleared', runner }])
  })

  it('about four are created and started at a time', async () => {
    let now = 0
    let most = 0
    world.engine.around = async (call, effect) => {
      if (call.method !== 'create') return effect()
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setTimeout(resolve, 2))
      now -= 1
      return effect()
    }
    const launches = Array.from({ length: 40 }, () => order())
    world.hub.launch(launches)
    await eventually('all run', () => launches.every(({ runner }) => world.hub.phaseOf(runner) === 'running'))
    expect(most).toBe(4)
    await eventually(
      'a measured start rate',
      () => (world.hub.of('heartbeat').at(-1)?.startsPerMinute ?? 0) > 0,
    )
  })

  it('R3, K2: a create without an answer is not repeated; the container that came of it is found by name', async () => {
    world.engine.around = async (call, effect) => {
      const result = await effect()
      if (call.method === 'create') throw unreachable()
      return result
    }
    const runner = await world.launched()
    expect(world.engine.callsOf('create')).toHaveLength(1)
    expect(world.engine.startsBySecret.get(`canary-${runner}`)).toBe(1)
  })

  it('K2: a start without an answer is not repeated; the runner is adopted', async () => {
    world.engine.around = async (call, effect) => {
      const result = await effect()
      if (call.method === 'start') throw unreachable()
      return result
    }
    const runner = await world.launched()
    expect(world.engine.callsOf('start')).toHaveLength(1)
    expect(world.engine.containers.get(runner)?.starts).toBe(1)
  })

  it('K2: a container that appears after its launch was given up is removed, never started', async () => {
    const late: (() => Promise<unknown>)[] = []
    world.engine.around = async (call, effect) => {
      if (call.method !== 'create') return effect()
      late.push(effect)
      throw unreachable()
    }
    const launch = order()
    world.hub.launch([launch])
    await world.phase(launch.runner, 'refused')
    expect(world.hub.endOf(launch.runner)?.code).toBe('never-started')
    await late[0]?.()
    expect(world.engine.containers.size).toBe(1)
    await eventually('it is removed with the next listing', () => world.engine.containers.size === 0)
    expect(world.engine.callsOf('start')).toEqual([])
  })

  it('K2: while nobody can tell what became of a start, no end is reported', async () => {
    let deaf = true
    world.engine.around = async (call, effect) => {
      const result = await effect()
      if (deaf && ['start', 'inspect', 'list'].includes(call.method)) throw unreachable()
      return result
    }
    const launch = order()
    world.hub.launch([launch])
    await eventually('not accepting', () => world.hub.of('heartbeat').at(-1)?.accepting === false)
    expect(world.hub.phaseOf(launch.runner)).toBe('accepted')
    deaf = false
    await world.phase(launch.runner, 'running')
    expect(world.engine.startsBySecret.get(`canary-${launch.runner}`)).toBe(1)
  })

  it("K3: a name that is held by a container of someone else's ends the launch, and touches nothing", async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'create') throw new EngineError('conflict', 'name in use')
      return effect()
    }
    const launch = order()
    world.hub.launch([launch])
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ outcome: 'failed', code: 'engine-failed' })
    expect(world.engine.callsOf('start', 'stop', 'remove')).toEqual([])
  })

  it('a start that fails leaves no container behind', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'start') throw new EngineError('refused', 'exec: "nope": not found')
      return effect()
    }
    const launch = order()
    world.hub.launch([launch])
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ code: 'engine-failed' })
    expect(world.hub.endOf(launch.runner)?.reason).toContain('nope')
    expect(world.engine.containers.size).toBe(0)
  })

  it('R2: a container whose creation outlasted its reservation is removed, never started', async () => {
    world.engine.around = async (call, effect) => {
      const result = await effect()
      if (call.method === 'create') await world.clock.sleep(2_000)
      return result
    }
    const launch = order(newRunner(), { expiresInMs: 1_000 })
    world.hub.launch([launch])
    await world.phase(launch.runner, 'refused')
    expect(world.hub.endOf(launch.runner)?.code).toBe('reservation-expired')
    await world.cleared(launch.runner)
    expect(world.engine.callsOf('start')).toEqual([])
    expect(world.engine.containers.size).toBe(0)
  })

  it('R2: a launch whose reservation ended while its image was pulled is refused, and nothing is created', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') await new Promise((resolve) => setTimeout(resolve, 300))
      return effect()
    }
    const launch = order(newRunner(), { image: 'slow:1', expiresInMs: 1_000 })
    world.hub.launch([launch])
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)?.code).toBe('reservation-expired')
    expect(world.engine.callsOf('create')).toEqual([])
  })

  it('R2: a reservation that ended during a pull is told as that, also where its timer fires early', async () => {
    const sleep = world.clock.sleep.bind(world.clock)
    world.clock.sleep = (ms, signal) => sleep(ms > 900 && ms <= 1_000 ? ms - 300 : ms, signal)
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') await new Promise((resolve) => setTimeout(resolve, 300))
      return effect()
    }
    const launch = order(newRunner(), { image: 'slow:1', expiresInMs: 1_000 })
    world.hub.launch([launch])
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)?.code).toBe('reservation-expired')
  })

  it('one that waits for its turn beyond its expiry is refused', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'create') await world.clock.sleep(2_000)
      return effect()
    }
    const last = order(newRunner(), { expiresInMs: 1_000 })
    world.hub.launch([...Array.from({ length: 4 }, () => order()), last])
    await world.phase(last.runner, 'refused')
    expect(world.hub.endOf(last.runner)?.code).toBe('reservation-expired')
    expect(world.engine.callsOf('create')).toHaveLength(4)
  })

  it('an image that is missing is pulled once for all who wait for it', async () => {
    const launches = Array.from({ length: 10 }, () => order(newRunner(), { image: 'new:1' }))
    world.hub.launch(launches)
    await eventually('all run', () => launches.every(({ runner }) => world.hub.phaseOf(runner) === 'running'))
    expect(world.engine.pulls).toBe(1)
  })

  it('an image that was removed behind our back is pulled again, and the runner created once', async () => {
    await world.launched()
    world.engine.images.clear()
    await world.launched()
    expect(world.engine.pulls).toBe(1)
  })

  it('K12: an image that cannot be pulled ends its launch, and no other', async () => {
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') throw new EngineError('registry-unavailable', 'toomanyrequests')
      return effect()
    }
    const launch = order(newRunner(), { image: 'missing:1' })
    world.hub.launch([launch, order()])
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ outcome: 'failed', code: 'image-unavailable' })
    expect(world.hub.endOf(launch.runner)?.reason).toContain('toomanyrequests')
    await eventually('the other runs', () =>
      [...world.hub.runners.values()].some(({ sighting }) => sighting.phase === 'running'),
    )
  })

  it('a stop before the container exists keeps it from ever existing', async () => {
    const launch = order(newRunner(), { image: 'slow:1' })
    let pulled = (): void => {}
    world.engine.around = async (call, effect) => {
      if (call.method === 'pull') await new Promise<void>((resolve) => (pulled = resolve))
      return effect()
    }
    world.hub.launch([launch])
    await world.phase(launch.runner, 'accepted')
    await eventually('its pull is under way', () => world.engine.callsOf('pull').length === 1)
    world.hub.stopRunner(launch.runner)
    // Commands are taken in order: once a later one runs, the stop is known.
    const later = order()
    world.hub.launch([later])
    await world.phase(later.runner, 'running')
    pulled()
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ outcome: 'failed', code: 'stopped' })
    expect(world.engine.callsOf('create').filter(({ runner }) => runner === launch.runner)).toEqual([])
  })

  it('a stop during the start ends the runner once it has started', async () => {
    let started = (): void => {}
    world.engine.around = async (call, effect) => {
      if (call.method === 'start') await new Promise<void>((resolve) => (started = resolve))
      return effect()
    }
    const launch = order()
    world.hub.launch([launch])
    await eventually('it is being started', () => world.engine.callsOf('start').length === 1)
    world.hub.stopRunner(launch.runner)
    await new Promise((resolve) => setTimeout(resolve, 50))
    started()
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)).toMatchObject({ outcome: 'failed', code: 'stopped' })
  })

  it('a stop of a runner that was never heard of refuses it for ever', async () => {
    const launch = order()
    world.hub.stopRunner(launch.runner)
    await world.cleared(launch.runner)
    expect(world.hub.endOf(launch.runner)?.code).toBe('stopped')
    world.hub.launch([launch])
    await world.launched()
    expect(world.engine.callsOf('create')).toHaveLength(1)
  })

  it('X18: a token stands in no file, no log and no report, whatever became of its runner', async () => {
    world.retention.max = 5
    const good = await world.launched()
    const bad = await world.launched()
    const printed = [
      `token=canary-${bad}`,
      Buffer.from(`canary-${bad}`).toString('base64'),
      'sf_ert_0123456789abcdef0123',
    ].join('\n')
    world.engine.setLog(bad, printed)
    world.engine.exit(good, 0)
    world.engine.exit(bad, 1)
    await world.cleared(bad)
    await world.cleared(good)
    await eventually('a crash report', () => world.hub.of('black-box').length > 0)
    const boxes = world.hub.of('black-box').map(({ text }) => text)
    expect(JSON.parse(boxes.join(''))).toMatchObject({
      runner: bad,
      exitCode: 1,
      logTail: 'token=[secret]\n[secret]\n[secret]',
    })
    const everything = [...world.hub.frames, world.traces()].join('\n')
    expect(everything).not.toContain('canary-')
    expect(everything).not.toContain('sf_ert_')
    expect(everything).not.toContain(Buffer.from(`canary-${bad}`).toString('base64'))
  })

  it('X5: the container is built from typed fields alone', async () => {
    const launch = order()
    const smuggled = { ...launch, privileged: true, mounts: ['/:/host'], HostConfig: { Privileged: true } }
    const specs: unknown[] = []
    const create = world.engine.create.bind(world.engine)
    world.engine.create = async (spec) => {
      specs.push(spec)
      return create(spec)
    }
    world.hub.launch([smuggled])
    await world.phase(launch.runner, 'running')
    expect(Object.keys(specs[0] as object).toSorted()).toEqual([
      'env',
      'image',
      'isolation',
      'maxLifetimeMs',
      'origin',
      'runner',
      'secretEnv',
      'startDeadlineMs',
      'stopTimeoutMs',
    ])
  })
})
