import type { EpochMs } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { fleetOf } from './fleet.ts'
import { type Key, kindOf } from './keys.ts'
import type { Row, Rows } from './table-client.ts'
import { CHANGES_INDEX } from './table.ts'
import { FLEET_PARTITION, sortableTime, timeOf } from './change-index.ts'

/**
 * How far each reading looks back behind its cursor. The time of a change is taken before its write, which may be
 * tried again for seconds; the index lags, by less than a second as a rule; and the clocks of two writers differ.
 */
export const CHANGES_OVERLAP_MS = 10_000

/** One line of the index: which item, and which version of it. */
type Line = Key & { readonly changedAt: string }

export function changeMethods(rows: Rows): Pick<FleetStore, 'readChanges'> {
  /** The items of the last answer. An item whose line still names the same version is not read again. */
  let known: ReadonlyMap<string, Row> = new Map()

  return {
    async readChanges(cursor) {
      const lines = await readLines(rows, cursor)
      const isKnown = (name: string, line: Line): boolean => known.get(name)?.['changedAt'] === line.changedAt
      const stale = [...lines].flatMap(([name, line]) => (isKnown(name, line) ? [] : [line]))
      const current = new Map(known)
      for (const { pk, sk } of stale) current.delete(nameOf({ pk, sk }))
      for (const row of await rows.getMany(stale)) current.set(nameOf(row), row)
      // An item with a line and no row was removed meanwhile; one with a row and no line is told no more.
      known = new Map([...current].filter(([name]) => lines.has(name)))
      return { ...fleetOf(known.values()), cursor: latest(lines.values(), cursor) }
    },
  }
}

/** One line per item: for a moment an index may hold the old line of an item beside its new one. */
async function readLines(rows: Rows, cursor: EpochMs): Promise<ReadonlyMap<string, Line>> {
  const lines = new Map<string, Line>()
  const pages = rows.query({
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
