import { Agent } from 'node:http'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createDynamoStore } from '../../../adapters/dynamodb/index.ts'
import { createSqliteStore } from '../../../adapters/sqlite/index.ts'
import type { Fleet } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import { hubDatabase } from '../../../local/hub-database.ts'
import { EMULATOR_FOLDER, TABLE } from '../../support/dynamodb-emulator/on-socket.ts'

/** What a hub keeps its records in. */
export type StoreKind = 'SQLite' | 'DynamoDB'

interface Opened {
  readonly store: FleetStore
  close(): Promise<void>
}

/** The hub's own records, read from outside of its process while it runs. */
export class HubState {
  readonly #folder: string
  readonly #kind: StoreKind
  #opened: Opened | null = null

  constructor(stateDir: string, kind: StoreKind) {
    this.#folder = join(stateDir, 'hub')
    this.#kind = kind
  }

  read(): Promise<Fleet> {
    this.#opened ??= this.#kind === 'SQLite' ? openFile(this.#folder) : openSocket(this.#folder)
    return this.#opened.store.readFleet()
  }

  /** What the hub still holds of anybody's: slots, and runners that are not gone. */
  async held(): Promise<readonly string[]> {
    const { hosts, runners } = await this.read()
    const slots = hosts.flatMap(({ slots: held }) => [...held.keys()].map((id) => `slot ${id}`))
    const live = runners.filter(({ state }) => state !== 'gone').map(({ id, state }) => `${state} ${id}`)
    return [...slots, ...live]
  }

  async close(): Promise<void> {
    await this.#opened?.close()
  }
}

function openFile(folder: string): Opened {
  return createSqliteStore(new DatabaseSync(hubDatabase(folder), { readOnly: true }))
}

function openSocket(folder: string): Opened {
  const agent = new Agent({
    keepAlive: true,
    ...{ socketPath: relative(process.cwd(), join(folder, EMULATOR_FOLDER, 'db.sock')) },
  })
  const client = new DynamoDBClient({
    endpoint: 'http://localhost',
    region: 'local',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    requestHandler: { httpAgent: agent },
  })
  return {
    store: createDynamoStore({ client, table: TABLE }),
    async close() {
      client.destroy()
      agent.destroy()
    },
  }
}
