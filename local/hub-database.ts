import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type OpenSqliteStore, openSqliteStore } from '../adapters/sqlite/index.ts'
import { systemClock } from '../adapters/system/index.ts'
import { SlipwayError } from '../core/model/index.ts'

/** The one file that holds a hub's state, in its folder. SQLite keeps two more beside it while it is open. */
export function hubDatabase(stateDir: string): string {
  return join(stateDir, 'hub.db')
}

/** Throws `state-folder-outdated` for a folder of a version that kept its state in another way; it is unchanged then. */
export async function openHubDatabase(stateDir: string): Promise<OpenSqliteStore> {
  refuseEmulatorFolder(join(stateDir, 'db'))
  return openSqliteStore(hubDatabase(stateDir), { now: systemClock.now() })
}

/** Versions before SQLite kept the state in an embedded DynamoDB emulator, which is gone. */
function refuseEmulatorFolder(folder: string): void {
  if (!existsSync(join(folder, 'data'))) return
  throw new SlipwayError(
    'state-folder-outdated',
    `${folder} holds the state of an earlier version of Slipway, which this version cannot read. Nothing was changed. ` +
      `Start the earlier version once more, let its running jobs end, and stop it; then move ${folder} away and start ` +
      'this version, or give this version a new folder by SLIPWAY_STATE_DIR. Hosts that were added by ' +
      '`slipway hosts add` and templates that were applied must be added and applied again.',
  )
}
