import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { Agent, type Server } from 'node:http'
import { join, relative } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import dynalite from 'dynalite'
import { letIteratorsEnd } from './iterators.ts'

/** Where, in the folder of a hub that runs on the emulator. */
export const EMULATOR_FOLDER = 'db'
/** The table of that hub. */
export const TABLE = 'slipway'

/** A call that takes longer is taken for lost, and tried again or told. */
const REQUEST_MAX_MS = 10_000

export interface Emulator {
  readonly client: DynamoDBClient
  close(): Promise<void>
}

/**
 * The DynamoDB protocol in this process, its data in `folder`. It listens on a Unix socket in that folder, which only
 * this user can open: the emulator looks at no signature.
 */
export async function startEmulator(folder: string): Promise<Emulator> {
  letIteratorsEnd()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const server = calm(dynalite({ path: join(folder, 'data'), createTableMs: 0 }))
  const socketPath = relative(process.cwd(), join(folder, 'db.sock'))
  await rm(socketPath, { force: true })
  server.listen(socketPath)
  await once(server, 'listening')
  // Node passes these options on to every connection; its types don't say so.
  const options = { keepAlive: true, socketPath }
  const agent = new Agent(options)
  const client = new DynamoDBClient({
    endpoint: 'http://localhost',
    region: 'local',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    requestHandler: { httpAgent: agent, requestTimeout: REQUEST_MAX_MS, throwOnRequestTimeout: true },
  })
  return {
    client,
    async close() {
      client.destroy()
      agent.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

/**
 * The emulator throws, and so ends the process, when a client goes away inside a request. That is an everyday thing.
 * This listener runs right after the emulator's own and takes its place.
 */
function calm(server: Server): Server {
  return server.on('request', (request, response) => {
    request.removeAllListeners('error')
    request.on('error', () => response.destroy())
  })
}
