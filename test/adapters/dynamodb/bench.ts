import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll } from 'vitest'
import { createDynamoStore, ensureTable } from '../../../adapters/dynamodb/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import {
  type DynamoEmulator,
  dynamoClient,
  startDynamoEmulator,
} from '../../support/dynamodb-emulator/index.ts'

/** A store on a table of its own, and the client that only it uses, for faults on its way. */
export interface Bench {
  readonly store: FleetStore
  readonly client: DynamoDBClient
  readonly table: string
  readonly raw: RawTable
  /** A store of another process on the same table: nothing interferes with it. */
  other(): FleetStore
}

/** The items behind a store, as another program would see or spoil them. */
export interface RawTable {
  all(): Promise<Record<string, unknown>[]>
  get(pk: string, sk: string): Promise<Record<string, unknown>>
  put(item: Record<string, unknown>): Promise<void>
}

/** One emulator for a test file; each bench gets a fresh table on it. */
export function useBenches(): (options?: { maxAttempts?: number; url?: () => string }) => Promise<Bench> {
  let emulator: DynamoEmulator
  let tables = 0
  const clients: DynamoDBClient[] = []
  beforeAll(async () => {
    emulator = await startDynamoEmulator()
  })
  afterAll(async () => {
    for (const client of clients) client.destroy()
    await emulator.close()
  })
  return async ({ maxAttempts = 3, url } = {}) => {
    tables += 1
    const table = `slipway-${tables}`
    await ensureTable(emulator.client, table)
    const client = dynamoClient(url?.() ?? emulator.url, maxAttempts)
    clients.push(client)
    return {
      store: createDynamoStore({ client, table }),
      client,
      table,
      raw: rawTable(emulator.client, table),
      other: () => createDynamoStore({ client: emulator.client, table }),
    }
  }
}

function rawTable(client: DynamoDBClient, table: string): RawTable {
  const documents = DynamoDBDocumentClient.from(client)
  return {
    async all() {
      return (await documents.send(new ScanCommand({ TableName: table }))).Items ?? []
    },
    async get(pk, sk) {
      return (await documents.send(new GetCommand({ TableName: table, Key: { pk, sk } }))).Item ?? {}
    },
    async put(item) {
      await documents.send(new PutCommand({ TableName: table, Item: item }))
    },
  }
}

/** What a fault does to one call: let it pass, fail before it had its effect, or lose its answer. */
export type Fault = 'none' | 'fail-before' | 'lose-answer'

/** Runs every call of the client through `decide`, by the name of its operation, and counts the calls. */
export function interfere(
  client: DynamoDBClient,
  decide: (operation: string) => Fault | Promise<Fault>,
): string[] {
  const calls: string[] = []
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const operation = String(context.commandName).replace('Command', '')
      const fault = await decide(operation)
      if (fault === 'fail-before') throw resetByPeer()
      calls.push(operation)
      if (fault === 'none') return next(args)
      // Lost, whatever it is: an error that says what a condition came to is an answer too.
      await next(args).catch(() => null)
      throw resetByPeer()
    },
    // Inside the SDK's own retries: it sees the fault as the network would show it.
    { step: 'deserialize', name: 'interfere', priority: 'high' },
  )
  return calls
}

function resetByPeer(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET', name: 'TimeoutError' })
}
