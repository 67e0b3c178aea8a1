import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import { type EpochMs, SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { BoxItem, parseItem } from './items.ts'
import { boxKey, boxPrefix, hostPartition, type Key, kindOf } from './keys.ts'
import type { Rows } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { CHANGES_INDEX } from './table.ts'
import { FLEET_PARTITION, RECORD_PARTITION, sortableTime, told } from './change-index.ts'

type RecordMethods = Pick<FleetStore, 'putBlackBox' | 'getBlackBox' | 'removeExpired'>

const pack = promisify(deflate)
const unpack = promisify(inflate)

/** Far above what one dead runner has to tell (a part is about 20 KB), and low enough that no agent fills the table. */
const PARTS_MAX = 64
/** Deletions side by side: enough to hide latency, few enough to disturb nobody. */
const REMOVALS_AT_ONCE = 16

export function recordMethods(rows: Rows): RecordMethods {
  return {
    async putBlackBox({ host, runner, part, parts, text, now }) {
      const key = boxKey(host, runner, part)
      if (parts > PARTS_MAX || part > parts) throw tooManyParts(key, part, parts)
      const packed = await pack(text)
      assertFits('box', key, packed)
      await rows.put({ ...key, part, parts, packed, ...told(now, RECORD_PARTITION) })
    },

    async getBlackBox(host, runner) {
      const found = []
      const pages = rows.query({
        condition: '#pk = :pk AND begins_with(#sk, :prefix)',
        values: { ':pk': hostPartition(host), ':prefix': boxPrefix(runner) },
      })
      for await (const page of pages) for (const row of page) found.push(parseItem(BoxItem, row))
      if (found.length === 0 || found.some(({ parts }) => parts !== found.length)) return null
      const texts = await Promise.all(found.map(async ({ packed }) => String(await unpack(packed))))
      return texts.join('')
    },

    async removeExpired({ before, limit }) {
      const tombstones = await removeOld(rows, FLEET_PARTITION, before, limit)
      return tombstones + (await removeOld(rows, RECORD_PARTITION, before, limit - tombstones))
    },
  }
}

/** Found by an index that may lag, so each removal asks the item itself: an old tombstone, or a record. */
async function removeOld(rows: Rows, partition: string, before: EpochMs, limit: number): Promise<number> {
  let removed = 0
  const isExpired = {
    condition: `#changedAt < :before AND ${partition === FLEET_PARTITION ? '#state = :gone' : '#changed = :partition'}`,
    values: {
      ':before': sortableTime(before),
      ...(partition === FLEET_PARTITION ? { ':gone': 'gone' } : { ':partition': partition }),
    },
  }
  const pages = rows.query({
    index: CHANGES_INDEX,
    condition: '#changed = :partition AND #changedAt < :before',
    values: { ':partition': partition, ':before': sortableTime(before) },
  })
  for await (const page of pages) {
    const old: Key[] = page.filter((row) => partition === RECORD_PARTITION || kindOf(row) === 'runner')
    while (old.length > 0 && removed < limit) {
      const some = old.splice(0, Math.min(REMOVALS_AT_ONCE, limit - removed))
      const gone = await Promise.all(some.map(({ pk, sk }) => rows.remove({ pk, sk }, isExpired)))
      removed += gone.filter(Boolean).length
    }
    if (removed >= limit) break
  }
  return removed
}

function tooManyParts({ pk, sk }: Key, part: number, parts: number): SlipwayError {
  return new SlipwayError(
    'store-item-too-large',
    `Refused part ${part} of ${parts} of the black box ${pk}/${sk}: it has at most ${PARTS_MAX} parts. ` +
      'The record should have been cut short by the agent.',
  )
}
