/** `slipway hub` on the DynamoDB adapter, for what must hold on any store: the emulator's data lies in the state folder. */
import { join } from 'node:path'
import { createDynamoStore, ensureTable } from '../../../adapters/dynamodb/index.ts'
import { hubCommand } from '../../../cli/commands/hub.ts'
import { runCommand } from '../../../cli/run-command.ts'
import { LOCAL_ADAPTERS } from '../../../local/adapters.ts'
import { EMULATOR_FOLDER, startEmulator, TABLE } from './on-socket.ts'

async function openStore(stateDir: string) {
  const { client, close } = await startEmulator(join(stateDir, EMULATOR_FOLDER))
  await ensureTable(client, TABLE)
  return { store: createDynamoStore({ client, table: TABLE }), close }
}

await runCommand((io) => hubCommand(io, { ...LOCAL_ADAPTERS, openStore }))
