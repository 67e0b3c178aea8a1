import type { EpochMs, Host, HostId } from '../../core/model/index.ts'
import { HostItem, parseItem } from './items.ts'
import { hostKey } from './keys.ts'
import type { Change, Row, Rows } from './table-client.ts'
import { SET_TOLD, toldValues } from './change-index.ts'

/** One change of a host, in words of DynamoDB; what every such change has in common is added by `changeHost`. */
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

/** False: the condition doesn't hold. */
export function changeHost(rows: Rows, { host, now }: Target, change: HostChange): Promise<boolean> {
  return rows.write(hostKey(host), whole(change, now))
}

/** As `changeHost`, and answers with the changed host; null: the condition doesn't hold. */
export async function changedHost(
  rows: Rows,
  { host, now }: Target,
  change: HostChange,
): Promise<Host | null> {
  const row = await rows.update(hostKey(host), whole(change, now))
  return row === null ? null : hostOf(row)
}

export async function readHost(rows: Rows, id: HostId): Promise<Host | null> {
  const row = await rows.get(hostKey(id))
  return row === null ? null : hostOf(row)
}

export function hostOf(row: Row): Host {
  return parseItem(HostItem, row)
}

/** Every change of a host raises its revision and tells the readers of changes. */
function whole({ set, remove, add, condition, values, names }: HostChange, now: EpochMs): Change {
  const sets = set === undefined ? SET_TOLD : `${set}, ${SET_TOLD}`
  const adds = add === undefined ? '#revision :one' : `${add}, #revision :one`
  return {
    update: `SET ${sets} ADD ${adds}${remove === undefined ? '' : ` REMOVE ${remove}`}`,
    condition,
    values: { ...values, ...toldValues(now), ':one': 1 },
    ...(names && { names }),
  }
}
