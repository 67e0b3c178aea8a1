import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import { type EpochMs, SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { CrashReportItem, parseItem } from './items.ts'
import { crashReportKey, crashReportPrefix, hostPartition, type Key, kindOf } from './keys.ts'
import type { TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { CHANGES_INDEX } from './schema.ts'
import { FLEET_PARTITION, RECORD_PARTITION, sortableTime, changeMark } from './change-index.ts'

type RecordMethods = Pick<FleetStore, 'putCrashReport' | 'getCrashReport' | 'removeExpired'>

const pack = promisify(deflate)
const unpack = promisify(inflate)

/** Far more than one crash report needs (a part is about 20 KB), and few enough that no agent can fill the table. */
const PARTS_MAX = 64
/** Concurrent deletions: enough to hide latency, and few enough not to throttle other requests. */
const REMOVALS_AT_ONCE = 16

export function recordMethods(table: TableClient): RecordMethods {
  return {
    async putCrashReport({ host, runner, part, parts, text, now }) {
      const key = crashReportKey(host, runner, part)
      if (parts > PARTS_MAX || part > parts) throw tooManyParts(key, part, parts)
      const packed = await pack(text)
      assertFits('crash-report', key, packed)
      await table.put({ ...key, part, parts, packed, ...changeMark(now, RECORD_PARTITION) })
    },

    async getCrashReport(host, runner) {
      const found = []
      const pages = table.query({
        condition: '#pk = :pk AND begins_with(#sk, :prefix)',
        values: { ':pk': hostPartition(host), ':prefix': crashReportPrefix(runner) },
      })
      for await (const page of pages) for (const row of page) found.push(parseItem(CrashReportItem, row))
      if (found.length === 0 || found.some(({ parts }) => parts !== found.length)) return null
      const texts = await Promise.all(found.map(async ({ packed }) => String(await unpack(packed))))
      return texts.join('')
    },

    async removeExpired({ before, limit }) {
      const tombstones = await removeOld(table, FLEET_PARTITION, before, limit)
      return tombstones + (await removeOld(table, RECORD_PARTITION, before, limit - tombstones))
    },
  }
}

/** The index may lag, so each removal has a condition on the item itself: an old tombstone, or an old record. */
async function removeOld(
  table: TableClient,
  partition: string,
  before: EpochMs,
  limit: number,
): Promise<number> {
  let removed = 0
  const isExpired = {
    condition: `#changedAt < :before AND ${partition === FLEET_PARTITION ? '#state = :gone' : '#changed = :partition'}`,
    values: {
      ':before': sortableTime(before),
      ...(partition === FLEET_PARTITION ? { ':gone': 'gone' } : { ':partition': partition }),
    },
  }
  const pages = table.query({
    index: CHANGES_INDEX,
    condition: '#changed = :partition AND #changedAt < :before',
    values: { ':partition': partition, ':before': sortableTime(before) },
  })
  for await (const page of pages) {
    const old: Key[] = page.filter((row) => partition === RECORD_PARTITION || kindOf(row) === 'runner')
    while (old.length > 0 && removed < limit) {
      const some = old.splice(0, Math.min(REMOVALS_AT_ONCE, limit - removed))
      const gone = await Promise.all(some.map(({ pk, sk }) => table.remove({ pk, sk }, isExpired)))
      removed += gone.filter(Boolean).length
    }
    if (removed >= limit) break
  }
  return removed
}

function tooManyParts({ pk, sk }: Key, part: number, parts: number): SlipwayError {
  return new SlipwayError(
    'store-item-too-large',
    `Refused part ${part} of ${parts} of the crash report ${pk}/${sk}: at most ${PARTS_MAX} parts are allowed. ` +
      'The agent should have truncated the report.',
  )
}
