import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { epoch, fence } from '../../../core/model/index.ts'
import { openInstallationId } from '../../../agent/state/installation-id.ts'
import { RunnerEvents } from '../../../agent/runner-events.ts'
import { Journal, openJournal } from '../../../agent/state/journal.ts'
import { createLedger } from '../../../agent/state/ledger.ts'
import { lockDataDir } from '../../../platform/folder-lock.ts'
import { newRunner, ORIGIN } from '../harness.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const END = { outcome: 'finished', code: 'exited', reason: 'It exited with code 0.', exitCode: 0 } as const

let dir: string
let log: EventRecorder
const random = { unit: Math.random, bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) }

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'agent-'))
  log = new EventRecorder()
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function live(journal: Journal): Promise<void> {
  const runner = newRunner()
  const base = { runner, origin: ORIGIN, at: 1 }
  await journal.write({ record: 'accepted', ...base, bootId: 'b' })
  await journal.write({ record: 'running', ...base, bootId: 'b', startedAt: 1 })
  await journal.write({ record: 'exited', ...base, startedAt: 1, finishedAt: 2, end: END })
  await journal.write({ record: 'cleared', runner, at: 1 })
  await journal.write({ record: 'settled', runner, at: 1 })
}

describe('the journal', () => {
  it('a record is on disk before it counts', async () => {
    const events = new RunnerEvents()
    events.subscribe('entry-changed', ({ entry }) =>
      expect(readFileSync(join(dir, 'journal.jsonl'), 'utf8')).toContain(entry.runner),
    )
    const journal = await openJournal(dir, log, events)
    const written = journal.write({ record: 'refused', runner: newRunner(), origin: null, end: END, at: 1 })
    expect(journal.ledger.entries.size).toBe(0)
    expect(await written).toBe(true)
    expect(journal.ledger.entries.size).toBe(1)
    await journal.close()
  })

  it('brings everything back, and is private', async () => {
    const journal = await openJournal(dir, log, new RunnerEvents())
    await journal.write({ record: 'session', epoch: epoch(3) })
    await journal.write({ record: 'fence', fence: fence(9) })
    await live(journal)
    await journal.close()
    const again = await openJournal(dir, log, new RunnerEvents())
    expect(again.ledger.epoch).toBe(3)
    expect(again.ledger.fence).toBe(9)
    expect([...again.ledger.entries.values()]).toEqual([...journal.ledger.entries.values()])
    expect(statSync(join(dir, 'journal.jsonl')).mode & 0o077).toBe(0)
    await again.close()
  })

  it('a torn tail is cut off, a damaged line is left out, and the rest is kept', async () => {
    const journal = await openJournal(dir, log, new RunnerEvents())
    await live(journal)
    await journal.close()
    const path = join(dir, 'journal.jsonl')
    appendFileSync(path, '\u0000\u0000garbage\n{"v":1,"record":"of a newer build"}\n{"v":1,"record":"fen')
    const again = await openJournal(dir, log, new RunnerEvents())
    expect(again.ledger.entries.size).toBe(1)
    expect(log.names.toSorted()).toEqual([
      'journal.line-unreadable',
      'journal.line-unreadable',
      'journal.torn-tail-cut',
    ])
    await again.write({ record: 'fence', fence: fence(4) })
    await again.close()
    log = new EventRecorder()
    const third = await openJournal(dir, log, new RunnerEvents())
    expect(third.ledger.fence).toBe(4)
    expect(log.names).not.toContain('journal.torn-tail-cut')
    await third.close()
  })

  it('is compacted while it is written to, and loses nothing', async () => {
    const journal = await openJournal(dir, log, new RunnerEvents(), 20_000)
    await journal.write({ record: 'fence', fence: fence(2) })
    await Promise.all(Array.from({ length: 300 }, async () => live(journal)))
    const before = [...journal.ledger.entries.keys()].toSorted()
    expect(before).toHaveLength(300)
    const full = statSync(join(dir, 'journal.jsonl')).size
    journal.forget(() => true)
    for (let count = 0; count < 200; count += 1) await live(journal)
    expect(statSync(join(dir, 'journal.jsonl')).size).toBeLessThan(full * 2)
    const known = [...journal.ledger.entries.keys()]
    await journal.close()
    const again = await openJournal(dir, log, new RunnerEvents())
    expect(known.every((runner) => again.ledger.entries.has(runner))).toBe(true)
    expect(again.ledger.fence).toBe(2)
    await again.close()
  })

  it('K5: a full disk fails the write with what to do, and changes nothing', async () => {
    const problems: (string | null)[] = []
    const events = new RunnerEvents()
    events.subscribe('part-checked', ({ problem }) => problems.push(problem))
    const journal = new Journal({
      path: '/dev/full',
      file: await open('/dev/full', 'a'),
      size: 0,
      ledger: createLedger(),
      log,
      events,
      compactAboveBytes: 1_000,
    })
    await expect(journal.write({ record: 'fence', fence: fence(1) })).rejects.toMatchObject({
      code: 'journal-unwritable',
    })
    expect(journal.ledger.fence).toBe(0)
    expect(problems[0]).toMatch(/Free disk space/)
    await journal.close()
  })
})

describe('K18: one agent per data folder', () => {
  it('a second one is refused while the first lives, and let in once it is gone', async () => {
    const first = await lockDataDir(dir)
    await expect(lockDataDir(dir)).rejects.toMatchObject({ code: 'agent-locked' })
    expect(await first.held()).toBe(true)
    await first.release()
    const second = await lockDataDir(dir)
    expect(await first.held()).toBe(false)
    await second.release()
  })

  it('of twenty that start at once, one wins', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, async () => lockDataDir(dir)))
    const won = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(won).toHaveLength(1)
    await won[0]?.release()
  })

  it('an installation keeps its identity on its machine, and gets another one on a clone', async () => {
    const first = await openInstallationId(dir, 'machine-1', random)
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect(await openInstallationId(dir, 'machine-1', random)).toBe(first)
    expect(await openInstallationId(dir, null, random)).toBe(first)
    const clone = await openInstallationId(dir, 'machine-2', random)
    expect(clone).not.toBe(first)
    expect(await openInstallationId(dir, 'machine-2', random)).toBe(clone)
  })
})
