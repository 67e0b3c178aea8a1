import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { backupDatabase } from '../../adapters/sqlite/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { hubDatabase } from '../../local/hub-database.ts'
import { stateDirOf } from '../hub-client/target.ts'
import type { CommandIo } from './io.ts'
import { asJson, printable } from './print.ts'

/** `slipway hub backup FILE`: copies the state of the hub on this machine, which may be at work meanwhile. */
export async function backupCommand(file: string, flags: { json: boolean }, io: CommandIo): Promise<number> {
  const database = hubDatabase(join(stateDirOf(io.env), 'hub'))
  if (!existsSync(database)) throw noDatabase(database)
  await backupDatabase({ from: database, to: file })
  const { size: bytes } = statSync(file)
  if (flags.json) io.stdout.write(asJson({ file, bytes, database }))
  else io.stdout.write(`Copied ${printable(database)} to ${printable(file)} (${bytes} bytes).\n`)
  return 0
}

function noDatabase(database: string): SlipwayError {
  return new SlipwayError(
    'hub-database-missing',
    `There is no database at ${database}: no hub has run with this state folder. Name the folder of the hub by ` +
      'SLIPWAY_STATE_DIR. The state of a hub on AWS is in DynamoDB, which keeps its own backups.',
  )
}
