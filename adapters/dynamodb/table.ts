import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import { messageOf, SlipwayError } from '../../core/model/index.ts'

/** The sparse index of items by the time of their last change: keys only, since an index may lag behind the items. */
export const CHANGES_INDEX = 'changes'

/** A table that is being created is ready within seconds; one that takes this long has a problem. */
const READY_WITHIN_MS = 60_000
const READY_POLL_MS = 250

/**
 * The one table of a fleet. Billed per request, so that an idle fleet costs nothing.
 *
 * The index projects keys only: every write of an item costs the index at most two units whatever the item's size,
 * and what `readChanges` tells is read from the items themselves. All changes share one partition of the index,
 * which takes about 500 changes a second, that is about 80 jobs a second end to end; DynamoDB slows writers down
 * beyond. Sharding it would multiply the cost of every look at an idle fleet.
 */
export function tableDefinition(name: string) {
  return {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
      { AttributeName: 'changed', AttributeType: 'S' },
      { AttributeName: 'changedAt', AttributeType: 'S' },
    ],
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: CHANGES_INDEX,
        KeySchema: [
          { AttributeName: 'changed', KeyType: 'HASH' },
          { AttributeName: 'changedAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  } satisfies CreateTableCommandInput
}

/**
 * Creates the table where it is missing and waits until it can be used: for the embedded database of one machine
 * (on AWS the stack creates it). Throws `store-table-unusable` for a table of that name that is not ours.
 */
export async function ensureTable(client: DynamoDBClient, name: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS
  for (let table = await describe(client, name); ; table = await describe(client, name)) {
    if (table === null) await create(client, name)
    else if (table.TableStatus === 'ACTIVE') {
      assertOurs(table, name)
      return
    }
    if (performance.now() > deadline) throw notReady(name, table)
    await new Promise((resolve) => setTimeout(resolve, table === null ? 0 : READY_POLL_MS))
  }
}

async function describe(client: DynamoDBClient, name: string): Promise<TableDescription | null> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: name }))).Table ?? null
  } catch (thrown) {
    if (isNamed(thrown, 'ResourceNotFoundException')) return null
    throw failed('looked up', name, thrown)
  }
}

async function create(client: DynamoDBClient, name: string): Promise<void> {
  try {
    await client.send(new CreateTableCommand(tableDefinition(name)))
  } catch (thrown) {
    // Another process was faster: the next look finds its table.
    if (!isNamed(thrown, 'ResourceInUseException')) throw failed('created', name, thrown)
  }
}

function assertOurs(table: TableDescription, name: string): void {
  const keys = table.KeySchema?.map((key) => key.AttributeName).join('/')
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === CHANGES_INDEX)
  if (keys === 'pk/sk' && index !== undefined) return
  throw new SlipwayError(
    'store-table-unusable',
    `Table "${name}" exists with keys ${keys ?? 'unknown'} and ${index === undefined ? 'no' : 'an'} index ` +
      `"${CHANGES_INDEX}", so it is not a table of Slipway. Choose another name, or remove that table.`,
  )
}

function notReady(name: string, table: TableDescription | null): SlipwayError {
  return new SlipwayError(
    'store-table-unusable',
    `Table "${name}" is still ${table?.TableStatus ?? 'missing'} after ${READY_WITHIN_MS / 1000} s. ` +
      'If its creation was interrupted, remove the table (locally: the data folder) and start again.',
  )
}

function failed(done: string, name: string, thrown: unknown): SlipwayError {
  return new SlipwayError(
    'store-unavailable',
    `Table "${name}" could not be ${done}: ${messageOf(thrown)}. Check the endpoint, region and permissions.`,
    { cause: thrown },
  )
}

function isNamed(thrown: unknown, name: string): boolean {
  return thrown instanceof Error && thrown.name === name
}
