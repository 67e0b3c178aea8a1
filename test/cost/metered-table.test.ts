import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { ensureTable } from '../../adapters/dynamodb/index.ts'
import { type DynamoEmulator, dynamoClient, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'
import { TableMeter } from './metered-table.ts'

const TableName = 'metered'
const KEY = { pk: { S: 'a' }, sk: { S: 'b' } }
const line = (changedAt: string) => ({ changed: { S: 'FLEET' }, changedAt: { S: changedAt } })
const filler = (bytes: number) => ({ text: { S: 'x'.repeat(bytes) } })

let emulator: DynamoEmulator
let client: DynamoEmulator['client']
let meter: TableMeter

beforeAll(async () => {
  emulator = await startDynamoEmulator()
  await ensureTable(emulator.client, TableName)
})
afterAll(() => emulator.close())

beforeEach(async () => {
  await emulator.client.send(new DeleteItemCommand({ TableName, Key: KEY }))
  client = dynamoClient(emulator.url)
  meter = new TableMeter()
  meter.watch(client, emulator.client)
})

const put = (rest: object) => client.send(new PutItemCommand({ TableName, Item: { ...KEY, ...rest } }))
const remove = () => client.send(new DeleteItemCommand({ TableName, Key: KEY }))

describe('the meter of the table', () => {
  it('counts a write by kilobytes, of the larger of the item before and after', async () => {
    await put({})
    expect(meter.writeUnits).toBe(1)
    await put(filler(1_500))
    expect(meter.writeUnits).toBe(1 + 2)
    await put({})
    expect(meter.writeUnits).toBe(1 + 2 + 2)
    await remove()
    expect([meter.writeUnits, meter.readUnits, meter.calls, meter.inFlight]).toEqual([6, 0, 4, 0])
  })

  it('counts the line of the index that a write takes out, and the one that it puts in', async () => {
    await put(line('1'))
    expect(meter.writeUnits).toBe(1 + 1)
    await put(line('2'))
    expect(meter.writeUnits).toBe(2 + 1 + 2)
    const UpdateExpression = 'SET seen = :one'
    const ExpressionAttributeValues = { ':one': { N: '1' } }
    await client.send(
      new UpdateItemCommand({ TableName, Key: KEY, UpdateExpression, ExpressionAttributeValues }),
    )
    expect(meter.writeUnits).toBe(5 + 1)
    await remove()
    expect(meter.writeUnits).toBe(6 + 1 + 1)
  })

  it('counts a write whose condition fails', async () => {
    await put(filler(2_500))
    const again = put({})
    await again
    const refused = client.send(
      new PutItemCommand({ TableName, Item: KEY, ConditionExpression: 'attribute_not_exists(pk)' }),
    )
    await expect(refused).rejects.toThrow('conditional')
    expect(meter.writeUnits).toBe(3 + 3 + 1)
  })

  it('counts a read by four kilobytes, half as much where it may be old', async () => {
    await put({ ...line('1'), ...filler(5_000) })
    meter.writeUnits = 0
    const read = async (work: () => Promise<unknown>): Promise<number> => {
      meter.readUnits = 0
      await work()
      return meter.readUnits
    }
    const get = (ConsistentRead: boolean, Key: Record<string, { S: string }> = KEY) =>
      client.send(new GetItemCommand({ TableName, Key, ConsistentRead }))
    expect(await read(() => get(true))).toBe(2)
    expect(await read(() => get(false))).toBe(1)
    expect(await read(() => get(true, { ...KEY, sk: { S: 'none' } }))).toBe(1)
    const Keys = [KEY, { ...KEY, sk: { S: 'none' } }]
    const batch = { RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }
    expect(await read(() => client.send(new BatchGetItemCommand(batch)))).toBe(2 + 1)
    expect(await read(() => client.send(new ScanCommand({ TableName, ConsistentRead: true })))).toBe(2)
    const query = {
      TableName,
      IndexName: 'changes',
      KeyConditionExpression: 'changed = :fleet',
      ExpressionAttributeValues: { ':fleet': { S: 'FLEET' } },
    }
    expect(await read(() => client.send(new QueryCommand(query)))).toBe(0.5)
    expect(meter.writeUnits).toBe(0)
  })
})
