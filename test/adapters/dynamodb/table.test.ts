import { CreateTableCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDynamoStore, ensureTable, tableDefinition } from '../../../adapters/dynamodb/index.ts'
import { H1, T0 } from '../../contract/store-fixtures.ts'
import {
  type DynamoEmulator,
  dynamoClient,
  startDynamoEmulator,
} from '../../support/dynamodb-emulator/index.ts'

describe('the table', () => {
  let emulator: DynamoEmulator
  beforeAll(async () => {
    emulator = await startDynamoEmulator()
  })
  afterAll(() => emulator.close())

  it('is made once by several that want it at the same time, and again found by later ones', async () => {
    await Promise.all([1, 2, 3].map(() => ensureTable(emulator.client, 'shared')))
    const store = createDynamoStore({ client: emulator.client, table: 'shared' })
    await store.addHost({ id: H1, tags: [], tokenHash: 'h', now: T0 })
    await ensureTable(emulator.client, 'shared')
    expect(await store.getHost(H1)).toMatchObject({ id: H1 })
  })

  it('is refused where it is not one of ours', async () => {
    const ours = tableDefinition('foreign')
    const { GlobalSecondaryIndexes: _, ...bare } = ours
    const AttributeDefinitions = ours.AttributeDefinitions.slice(0, 2)
    await emulator.client.send(new CreateTableCommand({ ...bare, AttributeDefinitions }))
    await expect(ensureTable(emulator.client, 'foreign')).rejects.toMatchObject({
      code: 'store-table-unusable',
    })
  })

  it('that is missing, or that nothing serves, is named in the error', async () => {
    const store = createDynamoStore({ client: emulator.client, table: 'nowhere' })
    const missing = { code: 'store-unavailable', message: expect.stringContaining('"nowhere"') }
    await expect(store.getHost(H1)).rejects.toMatchObject(missing)
    await expect(store.readFleet()).rejects.toMatchObject(missing)
    await expect(store.freeSlot({ host: H1, runner: 'x' as never, now: T0 })).rejects.toMatchObject(missing)
    const client = dynamoClient('http://127.0.0.1:1', 1)
    await expect(ensureTable(client, 'nowhere')).rejects.toMatchObject({ code: 'store-unavailable' })
    client.destroy()
  })
})
