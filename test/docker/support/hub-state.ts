import { Agent } from 'node:http'
import { join, relative } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createDynamoStore } from '../../../adapters/dynamodb/index.ts'
import type { Fleet } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'

/** The hub's own records, read from outside of its process while it runs. */
export class HubState {
  readonly #client: DynamoDBClient
  readonly #agent: Agent
  readonly #store: FleetStore

  constructor(stateDir: string) {
    const socketPath = relative(process.cwd(), join(stateDir, 'hub', 'db', 'db.sock'))
    this.#agent = new Agent({ keepAlive: true, ...{ socketPath } })
    this.#client = new DynamoDBClient({
      endpoint: 'http://localhost',
      region: 'local',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      requestHandler: { httpAgent: this.#agent },
    })
    this.#store = createDynamoStore({ client: this.#client, table: 'slipway' })
  }

  read(): Promise<Fleet> {
    return this.#store.readFleet()
  }

  /** What the hub still holds of anybody's: slots, and runners that are not gone. */
  async held(): Promise<readonly string[]> {
    const { hosts, runners } = await this.read()
    const slots = hosts.flatMap(({ slots: held }) => [...held.keys()].map((id) => `slot ${id}`))
    const live = runners.filter(({ state }) => state !== 'gone').map(({ id, state }) => `${state} ${id}`)
    return [...slots, ...live]
  }

  close(): void {
    this.#client.destroy()
    this.#agent.destroy()
  }
}
