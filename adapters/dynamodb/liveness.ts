import type { FleetStore } from '../../core/ports/index.ts'
import { LivenessItem, parseItem } from './items.ts'
import { livenessKey } from './keys.ts'
import type { Rows } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { told } from './change-index.ts'

type LivenessMethods = Pick<FleetStore, 'putLiveness' | 'getLiveness'>

export function livenessMethods(rows: Rows): LivenessMethods {
  return {
    async putLiveness(liveness) {
      const key = livenessKey(liveness.host)
      const item = LivenessItem.parse(liveness)
      assertFits('liveness', key, item)
      // Most signs of life are expected. The index need not hear of them, and would be two thirds of their cost: so this
      // is the one item that may be newer than what its `changedAt` stands for.
      const { epoch, lastSeenAt, expectedBy, startsPerMinute } = item
      const wasExpected = await rows.write(key, {
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
      await rows.put(
        { ...key, ...item, ...told(liveness.lastSeenAt) },
        {
          condition:
            'attribute_not_exists(#pk) OR #epoch < :epoch OR (#epoch = :epoch AND #lastSeenAt < :lastSeenAt)',
          values: { ':epoch': epoch, ':lastSeenAt': lastSeenAt },
        },
      )
    },

    async getLiveness(host) {
      const row = await rows.get(livenessKey(host))
      return row === null ? null : parseItem(LivenessItem, row)
    },
  }
}
