import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { CHANGES_INDEX, CHANGES_PARTITION_KEY, CHANGES_SORT_KEY, PARTITION_KEY, SORT_KEY } from './schema.ts'

/** A new table is ready within seconds; if it takes this long, something is wrong. */
const READY_WITHIN_MS = 60_000
const READY_POLL_MS = 250

/**
 * The table of a fleet. Billed per request, so that an idle fleet costs nothing.
 *
 * The index projects keys only: a write costs the index at most two units whatever the size of the item, and
 * `readChanges` reads the items themselves. All changes share one partition of the index, which takes about 500
 * changes a second (about 80 jobs a second); above that, DynamoDB throttles writers. Sharding the index would multiply
 * the cost of every read of an idle fleet.
 */
export function tableDefinition(name: string) {
  return {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: PARTITION_KEY, AttributeType: 'S' },
      { AttributeName: SORT_KEY, AttributeType: 'S' },
      { AttributeName: CHANGES_PARTITION_KEY, AttributeType: 'S' },
      { AttributeName: CHANGES_SORT_KEY, AttributeType: 'S' },
    ],
    KeySchema: [
      { AttributeName: PARTITION_KEY, KeyType: 'HASH' },
      { AttributeName: SORT_KEY, KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: CHANGES_INDEX,
        KeySchema: [
          { AttributeName: CHANGES_PARTITION_KEY, KeyType: 'HASH' },
          { AttributeName: CHANGES_SORT_KEY, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  } satisfies CreateTableCommandInput
}

/**
 * Creates the table if it is missing, and waits until it is active. For the embedded database of one machine (on AWS
 * the stack creates the table). Throws `store-table-unusable` if a table of that name is not a table of Slipway.
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
    // Another process has created it: the next call of `describe` finds it.
    if (!isNamed(thrown, 'ResourceInUseException')) throw failed('created', name, thrown)
  }
}

function assertOurs(table: TableDescription, name: string): void {
  const keys = table.KeySchema?.map((key) => key.AttributeName).join('/')
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === CHANGES_INDEX)
  if (keys === `${PARTITION_KEY}/${SORT_KEY}` && index !== undefined) return
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
