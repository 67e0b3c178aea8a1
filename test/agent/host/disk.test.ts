import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDiskGuard, measureDisk, shortageOf, type DiskRoom } from '../../../agent/host/disk.ts'
import { EngineState } from '../../../agent/host/engine-state.ts'
import { RunnerEvents } from '../../../agent/runner-events.ts'
import { eventually } from '../../support/eventually.ts'
import { FastClock } from '../../support/fast-clock.ts'
import { MemoryEngine } from '../../support/memory-engine.ts'
import { order, World } from '../harness.ts'
import { SILENT_LOG } from '../../support/event-recorder.ts'

const GIB = 1024 ** 3
const ROOMY: DiskRoom = { bytes: 100 * GIB, freeBytes: 50 * GIB, files: 1_000_000, freeFiles: 900_000 }

describe('the room on a disk', () => {
  it('K5: a large disk needs 2 GiB, a small one a twentieth, and either needs inodes', () => {
    expect(shortageOf(ROOMY)).toBeNull()
    expect(shortageOf({ ...ROOMY, freeBytes: 2 * GIB - 1 })).toContain('2048 MiB')
    expect(shortageOf({ ...ROOMY, bytes: 10 * GIB, freeBytes: 0.6 * GIB })).toBeNull()
    expect(shortageOf({ ...ROOMY, bytes: 10 * GIB, freeBytes: 0.4 * GIB })).toContain('512 MiB')
    expect(shortageOf({ ...ROOMY, freeFiles: 19_999 })).toContain('inodes')
    expect(shortageOf({ ...ROOMY, files: 0, freeFiles: 0 })).toBeNull()
  })

  it('is measured where the folder is, and unknown where it is not', async () => {
    const room = await measureDisk(tmpdir())
    expect(room?.freeBytes).toBeGreaterThan(0)
    expect(room?.bytes).toBeGreaterThan(room?.freeBytes ?? Infinity)
    expect(await measureDisk('/no/such/folder')).toBeNull()
  })

  it('K5: is told when it ends and when there is clearly enough again, not in between', async () => {
    const told: (string | null)[] = []
    let room: DiskRoom | null = ROOMY
    const events = new RunnerEvents()
    events.subscribe('part-checked', ({ problem }) => told.push(problem))
    const engineState = new EngineState()
    engineState.facts = { ...new MemoryEngine().facts, storage: '/data' }
    const guard = createDiskGuard({
      clock: new FastClock(1),
      log: SILENT_LOG,
      events,
      engineState,
      measure: async () => room,
    })
    for (const freeBytes of [3 * GIB, GIB, 0.9 * GIB, 2.1 * GIB, 2.6 * GIB, 3 * GIB]) {
      room = { ...ROOMY, freeBytes }
      await guard.check()
    }
    expect(told).toEqual([expect.stringContaining('The disk of /data has 1024 MiB left'), null])
    room = null
    await guard.check()
    expect(guard.isShort).toBe(false)
  })
})

describe('a host with a full disk', () => {
  let world: World
  let room = ROOMY

  beforeEach(async () => {
    world = await World.open()
    world.engine.facts = { ...world.engine.facts, storage: '/data' }
    room = ROOMY
  })
  afterEach(async () => world.close())

  it('K5: takes no runners and says why, removes what was kept for a look, and comes back by itself', async () => {
    world.retention = { ms: 3_600_000, max: 5 }
    await world.started({ measureDisk: async () => room })
    const runner = await world.launched()
    world.engine.exit(runner, 1)
    await world.cleared(runner)
    expect(world.engine.containers.size).toBe(1)

    room = { ...ROOMY, freeBytes: 0 }
    await eventually('it says so', () => world.hub.of('heartbeat').at(-1)?.accepting === false)
    expect(world.hub.of('heartbeat').at(-1)?.notAcceptingReason).toContain('The disk of /data has 0 MiB left')
    await eventually('the kept container is removed', () => world.engine.containers.size === 0)
    const refused = order()
    world.hub.launch([refused])
    await world.phase(refused.runner, 'refused')
    expect(world.hub.endOf(refused.runner)?.code).toBe('refused-by-agent')

    room = ROOMY
    await eventually('it is back', () => world.hub.of('heartbeat').at(-1)?.accepting === true)
    await world.launched()
  })
})
