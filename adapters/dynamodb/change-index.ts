import { randomBytes } from 'node:crypto'
import type { EpochMs } from '../../core/model/index.ts'

/** Partition of the changes index that `readChanges` tells. */
export const FLEET_PARTITION = 'FLEET'
/** Partition of the changes index for records that only retention looks for. */
export const RECORD_PARTITION = 'RECORD'

/** What enters an item into the changes index, or moves it to the end of it. */
export interface Told {
  readonly changed: string
  readonly changedAt: string
}

/** For update expressions, beside the values of `toldValues`. */
export const SET_TOLD = '#changed = :changed, #changedAt = :changedAt'

/**
 * The time of a write, and a mark of that write alone: two writes of one item in one millisecond differ, so a reader
 * that has seen a `changedAt` has seen that version of the item.
 */
export function told(now: EpochMs, changed = FLEET_PARTITION): Told {
  return { changed, changedAt: `${sortableTime(now)}-${randomBytes(4).toString('hex')}` }
}

export function toldValues(now: EpochMs): Readonly<Record<string, string>> {
  const { changed, changedAt } = told(now)
  return { ':changed': changed, ':changedAt': changedAt }
}

/** Sorts as text the way the times sort as numbers, up to the year 33658. */
export function sortableTime(time: EpochMs): string {
  return String(Math.max(0, Math.trunc(time))).padStart(15, '0')
}

export function timeOf(changedAt: string): EpochMs {
  return Number(changedAt.slice(0, 15))
}
