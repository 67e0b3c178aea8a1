import { isItemCorrupt, type SourceStatus } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { parseRecord, StatusRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import { fromJson, type Row } from './rows.ts'

export function statusMethods(
  connection: GroupCommit,
): Pick<FleetStore, 'putSourceStatus' | 'readSourceStatuses'> {
  const put = connection.prepare('INSERT OR REPLACE INTO source_statuses (source, status) VALUES (?, ?)')
  const select = connection.prepare('SELECT * FROM source_statuses ORDER BY source')

  return {
    putSourceStatus: (status) =>
      connection.write(() => {
        put.run(status.source, JSON.stringify(StatusRecord.parse(status)))
      }),

    readSourceStatuses: () => connection.read(() => select.all().flatMap(statusOf)),
  }
}

/** L14: nothing is decided on a status, and the next one replaces a damaged one. */
function statusOf({ source, status }: Row): readonly SourceStatus[] {
  try {
    return [parseRecord(StatusRecord, `The status of source "${String(source)}"`, fromJson(status))]
  } catch (thrown) {
    if (!isItemCorrupt(thrown)) throw thrown
    return []
  }
}
