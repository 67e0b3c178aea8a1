import { randomBytes } from 'node:crypto'
import type { EpochMs } from '../../core/model/index.ts'
import type { CHANGES_PARTITION_KEY, CHANGES_SORT_KEY } from './schema.ts'

/** Partition of the change index that `readChanges` reads. */
export const FLEET_PARTITION = 'FLEET'
/** Partition of the change index for records that only retention reads. */
export const RECORD_PARTITION = 'RECORD'

/** The attributes that put an item into the change index, or move it to its end. */
export interface ChangeMark {
  readonly [CHANGES_PARTITION_KEY]: string
  readonly [CHANGES_SORT_KEY]: string
}

/** For update expressions; its values are `changeMarkValues`. */
export const SET_CHANGE_MARK = '#changed = :changed, #changedAt = :changedAt'

/**
 * The time of a write, with a random suffix: two writes of an item in the same millisecond have different marks, so a
 * `changedAt` identifies one version of the item.
 */
export function changeMark(now: EpochMs, changed = FLEET_PARTITION): ChangeMark {
  return { changed, changedAt: `${sortableTime(now)}-${randomBytes(4).toString('hex')}` }
}

export function changeMarkValues(now: EpochMs): Readonly<Record<string, string>> {
  const { changed, changedAt } = changeMark(now)
  return { ':changed': changed, ':changedAt': changedAt }
}

/** A text that sorts in the order of time, up to the year 33658. */
export function sortableTime(time: EpochMs): string {
  return String(Math.max(0, Math.trunc(time))).padStart(15, '0')
}

export function timeOf(changedAt: string): EpochMs {
  return Number(changedAt.slice(0, 15))
}
