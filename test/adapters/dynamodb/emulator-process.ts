import { startDynamoEmulator } from '../../support/dynamodb-emulator/index.ts'

/** The embedded database as a process of its own, on the folder of its first argument; says its address and serves. */
const { url } = await startDynamoEmulator(process.argv[2])
process.stdout.write(`${url}\n`)
