import * as z from 'zod'
import { parseRecord } from '../../protocol/records.ts'
import type { Row } from './table-client.ts'

export const CrashReportItem = z.object({
  part: z.int().nonnegative(),
  parts: z.int().nonnegative(),
  /** Deflated: logs shrink to a fifth, and a scan of the table reads these items as well. */
  packed: z.instanceof(Uint8Array),
})

/** Throws `store-item-corrupt` for an item that this build cannot read. */
export function parseItem<T>(shape: z.ZodType<T>, row: Row): T {
  return parseRecord(shape, `Item ${row.pk}/${row.sk}`, row)
}
