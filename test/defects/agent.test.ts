// The agent: long engine errors, the deadline of a pull that waits in line, exits seen after a restart of the machine.
import { expect, it, onTestFinished } from 'vitest'
import { EngineError, type Engine } from '../../agent/engines/engine.ts'
import { Images } from '../../agent/host/images.ts'
import { createTasks } from '../../agent/background-tasks.ts'
import { RunnerEvents } from '../../agent/runner-events.ts'
import { World } from '../agent/harness.ts'
import { EventRecorder } from '../support/event-recorder.ts'
import { eventually } from '../support/eventually.ts'
import { FastClock } from '../support/fast-clock.ts'
import { MemoryEngine } from '../support/memory-engine.ts'

const MINUTE_MS = 60_000

it.fails('a host whose engine fails with a page of text says that it does not accept', async () => {
  const world = await World.open(20)
  onTestFinished(async () => {
    world.engine.around = async (_call, effect) => effect()
    await world.close()
  })
  world.startAgent()
  await world.connected()
  world.engine.around = async (call, effect) => {
    if (call.method === 'describe' || call.method === 'list')
      throw new EngineError('refused', 'x'.repeat(40_000))
    return effect()
  }
  world.engine.endStreams()
  const told = (): boolean => world.hub.of('heartbeat').some(({ accepting }) => !accepting)
  const lockedOut = (): boolean => world.events('agent.disconnected').length >= 3
  await eventually('the hub is told, or the agent keeps losing its connection', () => told() || lockedOut())
  expect(told()).toBe(true)
})

it.fails('an image that waits for other pulls does not fail before its own pull begins', async () => {
  const speed = 6_000
  const timeout = AbortSignal.timeout.bind(AbortSignal)
  AbortSignal.timeout = (ms) => timeout(ms / speed)
  onTestFinished(() => {
    AbortSignal.timeout = timeout
  })
  const memory = new MemoryEngine()
  const engine: Engine = Object.assign(memory, {
    pull: async (image: string, signal: AbortSignal) => {
      if (signal.aborted) throw new EngineError('registry-unavailable', 'The pull was given up.')
      await new Promise((resolve) => setTimeout(resolve, (12 * MINUTE_MS) / speed))
      memory.images.add(image)
    },
  })
  const log = new EventRecorder()
  const images = new Images({
    engine,
    clock: new FastClock(speed),
    random: { unit: () => 0.5, bytes: (count) => new Uint8Array(count) },
    log,
    tasks: createTasks(log),
    events: new RunnerEvents(),
  })
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  images.want(
    'prefetch',
    names.map((image) => ({ image, pull: { kind: 'if-not-present' } })),
  )
  void images.run(stop.signal)
  const failed = (): readonly string[] => log.events('image.failed').map(({ image }) => image)
  const present = (): boolean => names.every((name) => memory.images.has(name))
  await eventually('every image is present, or one has failed', () => present() || failed().length > 0)
  expect(failed()).toEqual([])
})

it.fails('a runner that exits with 0 after its machine restarted is lost', async () => {
  const world = await World.open(20)
  const held: (() => void)[] = []
  const release = (): void => {
    for (const go of held.splice(0)) go()
  }
  onTestFinished(async () => {
    world.engine.around = async (_call, effect) => effect()
    release()
    await world.close()
  })
  world.startAgent()
  await world.connected()
  const runner = await world.launched()
  world.engine.reachable = false
  world.engine.endStreams(new Error('EOF'))
  await eventually('a failed listing', () => world.events('engine.unreachable').length > 0)
  // The exit is told by the event stream before the engine has said which boot this is.
  world.engine.around = async (call, effect) => {
    if (call.method === 'describe') await new Promise<void>((resolve) => held.push(resolve))
    return effect()
  }
  world.engine.facts = { ...world.engine.facts, bootId: 'boot-2' }
  world.engine.reachable = true
  await eventually('the event stream, open before the listing has an answer', () => {
    if (world.engine.streams > 0) return true
    // A listing that was asked for without a stream fails once more.
    if (held.length > 0) world.engine.reachable = false
    release()
    setTimeout(() => (world.engine.reachable = true), 2)
    return false
  })
  world.engine.reachable = true
  world.engine.exit(runner, 0)
  await new Promise((resolve) => setTimeout(resolve, 300))
  world.engine.around = async (_call, effect) => effect()
  release()
  await world.phase(runner, 'exited')
  expect(world.hub.endOf(runner)?.outcome).toBe('lost')
})
