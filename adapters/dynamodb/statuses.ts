import { isItemCorrupt, type SourceStatus } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { StatusRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { SOURCES_PARTITION } from './keys.ts'
import type { Row, TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'

export function statusMethods(
  table: TableClient,
): Pick<FleetStore, 'putSourceStatus' | 'readSourceStatuses'> {
  return {
    async putSourceStatus(status) {
      const key = { pk: SOURCES_PARTITION, sk: status.source }
      const item = StatusRecord.parse(status)
      assertFits('status', key, item)
      await table.put({ ...key, ...item })
    },

    async readSourceStatuses() {
      const statuses: SourceStatus[] = []
      const pages = table.query({ condition: '#pk = :pk', values: { ':pk': SOURCES_PARTITION } })
      for await (const page of pages) statuses.push(...page.flatMap(statusOf))
      return statuses
    },
  }
}

/** L14: a damaged status is skipped: it is only displayed, and the next status replaces it. */
function statusOf(row: Row): readonly SourceStatus[] {
  try {
    return [parseItem(StatusRecord, row)]
  } catch (thrown) {
    if (!isItemCorrupt(thrown)) throw thrown
    return []
  }
}
