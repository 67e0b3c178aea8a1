import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type * as Files from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { RunnerEvents } from '../../../agent/runner-events.ts'
import { openJournal } from '../../../agent/state/journal.ts'
import { fence } from '../../../core/model/index.ts'
import { eventually } from '../../support/eventually.ts'
import { World } from '../harness.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

/** What the disk refuses now. */
const disk = vi.hoisted(() => ({ isFull: false, losesFolders: false }))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>()
  const refusing = (file: Files.FileHandle): Files.FileHandle =>
    new Proxy(file, {
      get(target, name) {
        if (name === 'appendFile' && disk.isFull)
          return () => Promise.reject(new Error('ENOSPC: no space left on device, write'))
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      if (disk.losesFolders && args[1] === 'r') throw new Error('EIO: i/o error, open')
      return refusing(await real.open(...args))
    },
  }
})

beforeEach(() => {
  disk.isFull = false
  disk.losesFolders = false
})

it('K5: a host whose journal could not be written takes runners again once it can, with nothing else to write', async () => {
  const world = await World.open(30)
  try {
    await world.started()
    disk.isFull = true
    world.hub.cut()
    const accepting = (): boolean | undefined => world.hub.of('heartbeat').at(-1)?.accepting
    await eventually('it says that it takes none', () => accepting() === false)
    disk.isFull = false
    await eventually('it says that it takes some', () => accepting() === true)
    const runner = await world.launched()
    expect(world.hub.phaseOf(runner)).toBe('running')
  } finally {
    await world.close()
  }
})

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'agent-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('K17: a journal whose compaction fails at its very end goes on in the file that is there', async () => {
  const log = new EventRecorder()
  const journal = await openJournal(dir, log, new RunnerEvents(), 100)
  disk.losesFolders = true
  for (let n = 1; log.all.length === 0; n += 1) await journal.write({ record: 'fence', fence: fence(n) })
  expect(log.names).toEqual(['journal.compaction-failed'])
  const last = fence(journal.ledger.fence + 1)
  await journal.write({ record: 'fence', fence: last })
  await journal.close()
  expect(readFileSync(join(dir, 'journal.jsonl'), 'utf8')).toContain(`"fence":${last}`)
})
