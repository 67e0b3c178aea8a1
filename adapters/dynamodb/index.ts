import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { FleetStore } from '../../core/ports/index.ts'
import { changeMethods } from './changes.ts'
import { fleetMethods } from './fleet.ts'
import { hostMethods } from './hosts.ts'
import { imageMethods } from './images.ts'
import { leaseMethods } from './lease.ts'
import { livenessMethods } from './liveness.ts'
import { recordMethods } from './records.ts'
import { TableClient } from './table-client.ts'
import { runnerMethods } from './runners.ts'
import { sessionMethods } from './sessions.ts'
import { slotMethods } from './slots.ts'
import { statusMethods } from './statuses.ts'
import { templateMethods } from './templates.ts'

export { ensureTable, tableDefinition } from './table.ts'

/**
 * The hub's state in one DynamoDB table (or in an embedded database with the same protocol).
 *
 * Every write is one conditional write of one item, without a read before it. If the condition fails, a strongly
 * consistent read of the item decides: repeating a write that succeeded returns the same answer as the first time. So
 * the client may retry, and a caller may repeat any call whose answer was lost.
 *
 * Throws `SlipwayError`s: `store-unavailable`, `store-item-corrupt`, `store-item-too-large`, `claims-invalid`.
 */
export function createDynamoStore({ client, table }: { client: DynamoDBClient; table: string }): FleetStore {
  const tableClient = new TableClient(client, table)
  return {
    ...leaseMethods(tableClient),
    ...hostMethods(tableClient),
    ...sessionMethods(tableClient),
    ...slotMethods(tableClient),
    ...livenessMethods(tableClient),
    ...imageMethods(tableClient),
    ...runnerMethods(tableClient),
    ...fleetMethods(tableClient),
    ...changeMethods(tableClient),
    ...recordMethods(tableClient),
    ...statusMethods(tableClient),
    ...templateMethods(tableClient),
  }
}
