import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { FleetStore } from '../../core/ports/index.ts'
import { changeMethods } from './changes.ts'
import { fleetMethods } from './fleet.ts'
import { hostMethods } from './hosts.ts'
import { imageMethods } from './images.ts'
import { leaseMethods } from './lease.ts'
import { livenessMethods } from './liveness.ts'
import { recordMethods } from './records.ts'
import { Rows } from './table-client.ts'
import { runnerMethods } from './runners.ts'
import { sessionMethods } from './sessions.ts'
import { slotMethods } from './slots.ts'
import { statusMethods } from './statuses.ts'
import { templateMethods } from './templates.ts'

export { ensureTable, tableDefinition } from './table.ts'

/**
 * The hub's state in one DynamoDB table (or in the embedded database that speaks the same protocol).
 *
 * Every write is one conditional write of one item and reads nothing before it. Where a condition fails, the item is
 * read, strongly consistent, and decides: a repeat of a write that was done answers as the write itself did. So the
 * client may retry as it likes, and a caller may repeat any call whose answer it never got.
 *
 * Throws `SlipwayError`s: `store-unavailable`, `store-item-corrupt`, `store-item-too-large`, `claims-invalid`.
 */
export function createDynamoStore({ client, table }: { client: DynamoDBClient; table: string }): FleetStore {
  const rows = new Rows(client, table)
  return {
    ...leaseMethods(rows),
    ...hostMethods(rows),
    ...sessionMethods(rows),
    ...slotMethods(rows),
    ...livenessMethods(rows),
    ...imageMethods(rows),
    ...runnerMethods(rows),
    ...fleetMethods(rows),
    ...changeMethods(rows),
    ...recordMethods(rows),
    ...statusMethods(rows),
    ...templateMethods(rows),
  }
}
