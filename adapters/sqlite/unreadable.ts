import {
  type HostId,
  hostId,
  messageOf,
  type RunnerId,
  runnerId,
  type UnreadableItem,
} from '../../core/model/index.ts'
import type { Row } from './rows.ts'

/**
 * A row that can't be read is neither dropped nor lets the whole reading fail: it is named in `unreadable`, because to
 * a reader who takes what is missing for absent, it would seem absent.
 */
export function readAll<T>(
  rows: readonly Row[],
  read: (row: Row) => T,
): { readonly items: readonly T[]; readonly unreadable: readonly UnreadableItem[] } {
  const items: T[] = []
  const unreadable: UnreadableItem[] = []
  for (const row of rows) {
    try {
      items.push(read(row))
    } catch (thrown) {
      unreadable.push({ ...idsOf(row), problem: messageOf(thrown) })
    }
  }
  return { items, unreadable }
}

/** The ids that the row's key names; null where the key itself is damaged, or names none. */
function idsOf(row: Row): { host: HostId | null; runner: RunnerId | null } {
  const isRunner = row['host'] !== undefined && row['id'] !== undefined
  return {
    host: orNull(() => hostId(String(row['host'] ?? row['id']))),
    runner: isRunner ? orNull(() => runnerId(String(row['id']))) : null,
  }
}

function orNull<T>(make: () => T): T | null {
  try {
    return make()
  } catch {
    return null
  }
}
