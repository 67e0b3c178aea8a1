import { afterAll, beforeAll } from 'vitest'
import { createDynamoStore, ensureTable } from '../../adapters/dynamodb/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { type DynamoEmulator, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'
import { openTemporarySqlite } from '../support/sqlite-store.ts'
import { describeStore } from './store.ts'

let emulator: DynamoEmulator
let tables = 0
beforeAll(async () => {
  emulator = await startDynamoEmulator()
})
afterAll(() => emulator.close())

describeStore('memory', async () => ({ store: createMemoryStore(), close: async () => {} }))

describeStore('SQLite', openTemporarySqlite)

describeStore('DynamoDB', async () => {
  tables += 1
  const table = `slipway-${tables}`
  await ensureTable(emulator.client, table)
  return { store: createDynamoStore({ client: emulator.client, table }), close: async () => {} }
})
