import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDynamoStore, ensureTable } from '../../../adapters/dynamodb/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import { claim, claimsOf, H1, onlineHost, reserved, rid, T0 } from '../../contract/store-fixtures.ts'
import { dynamoClient, startDynamoEmulator } from '../../support/dynamodb-emulator/index.ts'
import { eventually } from '../../support/eventually.ts'

const TABLE = 'slipway'

describe('the embedded database on disk', () => {
  let folder: string
  let running: ChildProcess | null = null

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-db-'))
  })
  afterEach(async () => {
    await kill()
    await rm(folder, { recursive: true })
  })

  async function start(): Promise<FleetStore> {
    running = spawn(process.execPath, [join(import.meta.dirname, 'emulator-process.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url] = await once(running.stdout!, 'data')
    const client = dynamoClient(String(url).trim(), 1)
    await ensureTable(client, TABLE)
    return createDynamoStore({ client, table: TABLE })
  }

  async function kill(): Promise<void> {
    if (running === null) return
    const ended = once(running, 'exit')
    running.kill('SIGKILL')
    await ended
    running = null
  }

  it('D11: keeps every write that it answered when its process is killed, and its index in step', async () => {
    const capacity = { runners: 500, cpuMillis: 500_000, memoryMib: 600_000 }
    let store = await start()
    await onlineHost(store, { facts: { capacity } })
    const put = new Set<string>()
    const claimed = new Set<string>()
    let n = 0
    for (let round = 1; round <= 3; round += 1) {
      const goal = n + 120
      const write = async (): Promise<void> => {
        for (;;) {
          n += 1
          const id = n
          const host = (await store.getHost(H1))!
          if ((await claim(store, host, claimsOf(id))) !== null) claimed.add(rid(id))
          await store.putRunner(reserved(id), T0 + round)
          put.add(rid(id))
        }
      }
      const writers = Array.from({ length: 6 }, () => write().catch((thrown: unknown) => thrown))
      await eventually(`${goal} writes`, () => n > goal)
      await kill()
      expect(await Promise.all(writers)).toEqual(
        writers.map(() => expect.objectContaining({ code: 'store-unavailable' })),
      )

      store = await start()
      const { hosts, runners, unreadable } = await store.readFleet()
      expect(unreadable).toEqual([])
      const found = new Set(runners.map(({ id }) => String(id)))
      expect([...put].filter((id) => !found.has(id))).toEqual([])
      const held = new Set([...hosts[0]!.slots.keys()].map(String))
      expect([...claimed].filter((id) => !held.has(id))).toEqual([])
      const told = new Set((await store.readChanges(0)).runners.map(({ id }) => String(id)))
      expect([...found].filter((id) => !told.has(id))).toEqual([])
    }
  })
})

describe('the embedded database in memory', () => {
  it('starts empty, on a port of its own, several times beside each other', async () => {
    const emulators = await Promise.all([startDynamoEmulator(), startDynamoEmulator()])
    for (const { client } of emulators) {
      await ensureTable(client, TABLE)
      expect((await createDynamoStore({ client, table: TABLE }).readFleet()).hosts).toEqual([])
    }
    expect(emulators[0].url).not.toBe(emulators[1].url)
    await Promise.all(emulators.map((emulator) => emulator.close()))
  })
})
