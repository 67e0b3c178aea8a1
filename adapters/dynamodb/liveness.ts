import type { FleetStore } from '../../core/ports/index.ts'
import { LivenessRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { livenessKey } from './keys.ts'
import type { TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { changeMark } from './change-index.ts'

type LivenessMethods = Pick<FleetStore, 'putLiveness' | 'getLiveness'>

export function livenessMethods(table: TableClient): LivenessMethods {
  return {
    async putLiveness(liveness) {
      const key = livenessKey(liveness.host)
      const item = LivenessRecord.parse(liveness)
      assertFits('liveness', key, item)
      // Most heartbeats arrive in time. They don't update the change index, which would be two thirds of their cost: so
      // this is the only item that may be newer than its `changedAt`.
      const { epoch, lastSeenAt, expectedBy, startsPerMinute } = item
      const wasExpected = await table.write(key, {
        update:
          'SET #lastSeenAt = :lastSeenAt, #expectedBy = :expectedBy, #startsPerMinute = :startsPerMinute',
        condition: '#epoch = :epoch AND #lastSeenAt < :lastSeenAt AND #expectedBy >= :lastSeenAt',
        values: {
          ':epoch': epoch,
          ':lastSeenAt': lastSeenAt,
          ':expectedBy': expectedBy,
          ':startsPerMinute': startsPerMinute,
        },
      })
      if (wasExpected) return
      await table.put(
        { ...key, ...item, ...changeMark(liveness.lastSeenAt) },
        {
          condition:
            'attribute_not_exists(#pk) OR #epoch < :epoch OR (#epoch = :epoch AND #lastSeenAt < :lastSeenAt)',
          values: { ':epoch': epoch, ':lastSeenAt': lastSeenAt },
        },
      )
    },

    async getLiveness(host) {
      const row = await table.get(livenessKey(host))
      return row === null ? null : parseItem(LivenessRecord, row)
    },
  }
}
