import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { createSqliteStore } from '../../../adapters/sqlite/index.ts'
import { rid } from '../../contract/store-fixtures.ts'
import { temporaryFolder } from './bench.ts'

const ROUNDS = 3
const WRITES_PER_ROUND = 200

describe('a file whose process is killed with SIGKILL', () => {
  it('D11: holds every write that was answered, whole, and its indexes are in step', async () => {
    const file = join(temporaryFolder(), 'hub.db')
    const done = { claimed: new Set<string>(), put: new Set<string>() }
    for (let round = 1; round <= ROUNDS; round += 1) {
      await writeUntilKilled(file, round * 10_000, done)
      const db = new DatabaseSync(file, { readOnly: true })
      expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
      expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([])
      const { store, close } = createSqliteStore(db)
      const { hosts, runners, unreadable } = await store.readFleet()
      expect(unreadable).toEqual([])
      const found = new Set<string>(runners.map(({ id }) => id))
      expect([...done.put].filter((id) => !found.has(id))).toEqual([])
      const held = new Set<string>(hosts[0]?.slots.keys())
      expect([...done.claimed].filter((id) => !held.has(id))).toEqual([])
      const told = new Set<string>((await store.readChanges(0)).runners.map(({ id }) => id))
      expect([...found].filter((id) => !told.has(id))).toEqual([])
      await close()
    }
  })
})

async function writeUntilKilled(
  file: string,
  first: number,
  done: { readonly claimed: Set<string>; readonly put: Set<string> },
): Promise<void> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'writer-process.ts'), file, String(first)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines = await outputUntil(child, WRITES_PER_ROUND)
  for (const [, what, id] of lines.matchAll(/^(claimed|put) (\d+)\n/gm)) {
    done[what === 'claimed' ? 'claimed' : 'put'].add(rid(Number(id)))
  }
}

/** What it said until it was killed, which is after so many lines. */
async function outputUntil(child: ChildProcess, count: number): Promise<string> {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += String(chunk)
    if (text.split('\n').length > count) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return text
}
