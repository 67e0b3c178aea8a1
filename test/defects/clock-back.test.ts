// A wall clock that was ahead and is set right.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDynamoStore, ensureTable } from '../../adapters/dynamodb/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { onlineHost, reserved, rid, T0 } from '../contract/store-fixtures.ts'
import { SimWorld } from '../sim/world/sim-world.ts'
import { type DynamoEmulator, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'

const TEN_MINUTES_MS = 600_000

let emulator: DynamoEmulator
beforeAll(async () => {
  emulator = await startDynamoEmulator()
})
afterAll(() => emulator.close())

it.fails('the memory store tells of changes that were written after one by a clock that was ahead', async () => {
  await checkFeed(createMemoryStore())
})

it.fails('the DynamoDB store tells of changes that were written after one by a clock that was ahead', async () => {
  await ensureTable(emulator.client, 'clock-back')
  await checkFeed(createDynamoStore({ client: emulator.client, table: 'clock-back' }))
})

it.fails('a fleet works off its jobs as fast after its clock was set back', async () => {
  const straight = await workOff(0)
  expect(await workOff(TEN_MINUTES_MS)).toBeLessThan(straight * 2)
})

async function checkFeed(store: FleetStore): Promise<void> {
  await onlineHost(store)
  await store.putRunner(reserved(1), T0 + TEN_MINUTES_MS)
  const { cursor } = await store.readChanges(T0)
  await store.putRunner(reserved(2), T0 + 5_000)
  const changes = await store.readChanges(cursor)
  expect(changes.runners.map(({ id }) => id)).toContain(rid(2))
}

/** How long six jobs take, one after another, after the wall clock was set back by so much. */
async function workOff(backMs: number): Promise<number> {
  const world = new SimWorld()
  const agent = await world.addHost('one', { runners: 1 })
  const now = world.clock.now.bind(world.clock)
  let offMs = 0
  Object.assign(world.clock, { now: () => now() - offMs })
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(5_000)
  offMs = backMs
  const startedMs = world.clock.monotonicMs()
  world.source.enqueue(6, ['small'], 2_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 3_600_000)
  return world.clock.monotonicMs() - startedMs
}
