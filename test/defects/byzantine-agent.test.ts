// Numbers and orders of messages that no well-behaved peer sends.
import { expect, it } from 'vitest'
import { Images } from '../../agent/host/images.ts'
import { createTasks } from '../../agent/background-tasks.ts'
import { RunnerEvents } from '../../agent/runner-events.ts'
import { takeAgentMessage } from '../../core/flows/index.ts'
import { EventRecorder } from '../support/event-recorder.ts'
import { SimClock, SimRandom } from '../sim/world/sim-clock.ts'
import { SimWorld } from '../sim/world/sim-world.ts'
import { MemoryEngine } from '../support/memory-engine.ts'

const HOUR_MS = 3_600_000

it.fails('a host that falls silent is not online a day later, however late it said its next sign would come', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one')
  const connection = agent.connect()
  await world.clock.run(1_000)
  const host = await world.store.getHost(agent.host)
  expect(host?.state).toBe('online')
  void takeAgentMessage(
    world.session(),
    { host: agent.host, connection },
    {
      type: 'heartbeat',
      epoch: host!.epoch,
      seq: 99,
      accepting: true,
      notAcceptingReason: null,
      startsPerMinute: null,
      nextInMs: Number.MAX_SAFE_INTEGER,
    },
  )
  await world.clock.run(100)
  await world.disconnect(agent, { told: false })
  for (let hour = 0; hour < 24; hour += 1) {
    await world.clock.run(HOUR_MS)
    await world.sweep()
  }
  expect((await world.store.getHost(agent.host))?.state).not.toBe('online')
})

it.fails('a list of images that was made before a newer one does not replace it', () => {
  const log = new EventRecorder()
  const images = new Images({
    engine: new MemoryEngine(),
    clock: new SimClock(),
    random: new SimRandom(1),
    log,
    tasks: createTasks(log),
    events: new RunnerEvents(),
  })
  images.want('prefetch-5-2000', [{ image: 'new:2', pull: { kind: 'if-not-present' } }])
  images.want('prefetch-5-1000', [{ image: 'old:1', pull: { kind: 'if-not-present' } }])
  expect(images.wanted).toContain('new:2')
})
