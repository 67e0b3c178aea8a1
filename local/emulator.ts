import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import dynalite from 'dynalite'
import { SlipwayError } from '../core/model/index.ts'

export interface Emulator {
  readonly client: DynamoDBClient
  close(): Promise<void>
}

/** The DynamoDB protocol on a loopback port of this process. `folder` null = in memory. */
export async function startEmulator(folder: string | null): Promise<Emulator> {
  const server = dynalite({ ...(folder === null ? {} : { path: folder }), createTableMs: 0 })
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new SlipwayError('emulator-failed', `The embedded database can't start: ${cause.message}.`, {
          cause,
        }),
      ),
    )
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'local',
    // The emulator checks that a request is signed, not by whom.
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  return {
    client,
    async close() {
      client.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}
