import { CHANGES_OVERLAP_MS, type EpochMs } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { fleetOf } from './fleet.ts'
import { type Key, kindOf } from './keys.ts'
import type { Row, TableClient } from './table-client.ts'
import { CHANGES_INDEX } from './schema.ts'
import { FLEET_PARTITION, sortableTime, timeOf } from './change-index.ts'

/** One entry of the index: an item and its version. */
type Line = Key & { readonly changedAt: string }

export function changeMethods(table: TableClient): Pick<FleetStore, 'readChanges'> {
  /** The items of the last answer. An item whose entry still has the same version is not read again. */
  let known: ReadonlyMap<string, Row> = new Map()

  return {
    async readChanges(cursor) {
      const lines = await readLines(table, cursor)
      const isKnown = (name: string, line: Line): boolean => known.get(name)?.['changedAt'] === line.changedAt
      const stale = [...lines].flatMap(([name, line]) => (isKnown(name, line) ? [] : [line]))
      const current = new Map(known)
      for (const { pk, sk } of stale) current.delete(nameOf({ pk, sk }))
      for (const row of await table.getMany(stale)) current.set(nameOf(row), row)
      // An entry without an item was removed since; an item without an entry is no longer reported.
      known = new Map([...current].filter(([name]) => lines.has(name)))
      return { ...fleetOf(known.values()), cursor: latest(lines.values(), cursor) }
    },
  }
}

/** One entry per item: an index may briefly hold both the old and the new entry of an item. */
async function readLines(table: TableClient, cursor: EpochMs): Promise<ReadonlyMap<string, Line>> {
  const lines = new Map<string, Line>()
  const pages = table.query({
    index: CHANGES_INDEX,
    condition: '#changed = :fleet AND #changedAt >= :from',
    values: { ':fleet': FLEET_PARTITION, ':from': sortableTime(cursor - CHANGES_OVERLAP_MS) },
  })
  for await (const page of pages) {
    for (const row of page) if (kindOf(row) !== 'other') lines.set(nameOf(row), lineOf(row))
  }
  return lines
}

function lineOf(row: Row): Line {
  return { pk: row.pk, sk: row.sk, changedAt: String(row['changedAt']) }
}

function latest(lines: Iterable<Line>, cursor: EpochMs): EpochMs {
  let last = cursor
  for (const { changedAt } of lines) last = Math.max(last, timeOf(changedAt))
  return last
}

function nameOf({ pk, sk }: Key): string {
  return `${pk}/${sk}`
}
