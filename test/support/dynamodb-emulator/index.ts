import { once } from 'node:events'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { letIteratorsEnd } from './iterators.ts'

export interface DynamoEmulator {
  readonly url: string
  readonly client: DynamoDBClient
  close(): Promise<void>
}

interface DynaliteOptions {
  readonly path?: string
  readonly createTableMs?: number
  readonly deleteTableMs?: number
  readonly updateTableMs?: number
}

/** It has no types of its own, and stands in CommonJS. */
const dynalite = createRequire(import.meta.url)('dynalite') as (options: DynaliteOptions) => Server

/** The embedded database on a free loopback port: in memory, or in the folder `path`, which it alone may have open. */
export async function startDynamoEmulator(path?: string): Promise<DynamoEmulator> {
  letIteratorsEnd()
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, ...(path && { path }) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the emulator has no port')
  const url = `http://127.0.0.1:${address.port}`
  const client = dynamoClient(url)
  return {
    url,
    client,
    async close() {
      client.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
      })
    },
  }
}

/** A client of an emulator that runs elsewhere. It asks for credentials and looks at none of them. */
export function dynamoClient(url: string, maxAttempts = 3): DynamoDBClient {
  return new DynamoDBClient({
    endpoint: url,
    region: 'local-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts,
  })
}
