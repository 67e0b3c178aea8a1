import type { SQLOutputValue } from 'node:sqlite'

/** One row as it is stored: what is made of it is parsed by a shape of `protocol/records.ts`. */
export type Row = Readonly<Record<string, SQLOutputValue>>

/** Undefined, which no shape takes, where the text is damaged. */
export function fromJson(text: SQLOutputValue | undefined): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

/** Rows by the value of one column, each group in the order of the rows. */
export function groupBy(rows: readonly Row[], column: string): ReadonlyMap<unknown, readonly Row[]> {
  return Map.groupBy(rows, (row) => row[column])
}
