import type { EpochMs, Host, HostId } from '../../core/model/index.ts'
import { HostRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { hostKey } from './keys.ts'
import type { Change, Row, TableClient } from './table-client.ts'
import { SET_CHANGE_MARK, changeMarkValues } from './change-index.ts'

/** One change of a host as DynamoDB expressions; `changeHost` adds the parts that every change has. */
export interface HostChange {
  readonly set?: string
  readonly remove?: string
  readonly add?: string
  readonly condition: string
  readonly values?: Readonly<Record<string, unknown>>
  readonly names?: Readonly<Record<string, string>>
}

interface Target {
  readonly host: HostId
  readonly now: EpochMs
}

/** False if the condition failed. */
export function changeHost(table: TableClient, { host, now }: Target, change: HostChange): Promise<boolean> {
  return table.write(hostKey(host), whole(change, now))
}

/** Like `changeHost`, but returns the changed host; null if the condition failed. */
export async function changedHost(
  table: TableClient,
  { host, now }: Target,
  change: HostChange,
): Promise<Host | null> {
  const row = await table.update(hostKey(host), whole(change, now))
  return row === null ? null : hostOf(row)
}

export async function readHost(table: TableClient, id: HostId): Promise<Host | null> {
  const row = await table.get(hostKey(id))
  return row === null ? null : hostOf(row)
}

export function hostOf(row: Row): Host {
  return parseItem(HostRecord, row)
}

/** Every change of a host raises its revision and updates the change index. */
function whole({ set, remove, add, condition, values, names }: HostChange, now: EpochMs): Change {
  const sets = set === undefined ? SET_CHANGE_MARK : `${set}, ${SET_CHANGE_MARK}`
  const adds = add === undefined ? '#revision :one' : `${add}, #revision :one`
  return {
    update: `SET ${sets} ADD ${adds}${remove === undefined ? '' : ` REMOVE ${remove}`}`,
    condition,
    values: { ...values, ...changeMarkValues(now), ':one': 1 },
    ...(names && { names }),
  }
}
