import type { HostLiveness } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { LivenessRecord, parseRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Row } from './rows.ts'

export function livenessMethods(connection: GroupCommit): Pick<FleetStore, 'putLiveness' | 'getLiveness'> {
  const select = connection.prepare('SELECT * FROM liveness WHERE host = ?')
  // A sign that was expected is no news: it keeps the time of the last one that was.
  const put = connection.prepare(
    `INSERT INTO liveness (host, epoch, last_seen_at, expected_by, starts_per_minute, changed_at)
     VALUES (:host, :epoch, :lastSeenAt, :expectedBy, :startsPerMinute, :lastSeenAt)
     ON CONFLICT (host) DO UPDATE SET
       changed_at = CASE
         WHEN liveness.epoch = excluded.epoch AND liveness.expected_by >= excluded.last_seen_at
         THEN liveness.changed_at ELSE excluded.changed_at END,
       epoch = excluded.epoch, last_seen_at = excluded.last_seen_at, expected_by = excluded.expected_by,
       starts_per_minute = excluded.starts_per_minute
     WHERE (excluded.epoch, excluded.last_seen_at) > (liveness.epoch, liveness.last_seen_at)`,
  )

  return {
    putLiveness: ({ host, epoch, lastSeenAt, expectedBy, startsPerMinute }) =>
      connection.write(() => {
        put.run({ host, epoch, lastSeenAt, expectedBy, startsPerMinute })
      }),

    getLiveness: (host) =>
      connection.read(() => {
        const row = select.get(host)
        return row === undefined ? null : livenessOf(row)
      }),
  }
}

export function livenessOf(row: Row): HostLiveness {
  return parseRecord(LivenessRecord, `The last sign of life of host "${String(row['host'])}"`, {
    host: row['host'],
    epoch: row['epoch'],
    lastSeenAt: row['last_seen_at'],
    expectedBy: row['expected_by'],
    startsPerMinute: row['starts_per_minute'],
  })
}
