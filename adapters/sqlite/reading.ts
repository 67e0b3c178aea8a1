import { CHANGES_OVERLAP_MS, type Fleet } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { hostOf } from './host-rows.ts'
import { imagesOf } from './images.ts'
import { livenessOf } from './liveness.ts'
import { groupBy } from './rows.ts'
import { runnerOf } from './runner-rows.ts'
import { readAll } from './unreadable.ts'

const CHANGED_SINCE = 'changed_at >= :from'

export function readingMethods(connection: GroupCommit): Pick<FleetStore, 'readFleet' | 'readChanges'> {
  const all = fleetReader(connection, 'TRUE')
  const changed = fleetReader(connection, CHANGED_SINCE)
  const last = connection.prepare(
    `SELECT max(changed_at) AS last FROM (
       SELECT max(changed_at) AS changed_at FROM hosts
       UNION ALL SELECT max(changed_at) FROM liveness
       UNION ALL SELECT max(changed_at) FROM image_lists
       UNION ALL SELECT max(changed_at) FROM runners)`,
  )

  return {
    readFleet: () => connection.read(() => all({})),

    readChanges: (cursor) =>
      connection.read(() => ({
        ...changed({ from: cursor - CHANGES_OVERLAP_MS }),
        cursor: Math.max(cursor, Number(last.get()?.['last'] ?? cursor)),
      })),
  }
}

/** What of the fleet `condition` holds for. Rows that belong to another one are read for those alone. */
function fleetReader(connection: GroupCommit, condition: string): (values: Record<string, number>) => Fleet {
  const ofHosts = `host IN (SELECT id FROM hosts WHERE ${condition})`
  const hosts = connection.prepare(`SELECT * FROM hosts WHERE ${condition}`)
  const slots = connection.prepare(`SELECT * FROM slots WHERE ${ofHosts}`)
  const backoffs = connection.prepare(`SELECT * FROM backoffs WHERE ${ofHosts}`)
  const liveness = connection.prepare(`SELECT * FROM liveness WHERE ${condition}`)
  const imageLists = connection.prepare(`SELECT * FROM image_lists WHERE ${condition}`)
  const images = connection.prepare(
    `SELECT * FROM images WHERE host IN (SELECT host FROM image_lists WHERE ${condition})`,
  )
  const runners = connection.prepare(`SELECT * FROM runners WHERE ${condition}`)

  return (values) => {
    const slotsOf = groupBy(slots.all(values), 'host')
    const backoffsOf = groupBy(backoffs.all(values), 'host')
    const imagesByHost = groupBy(images.all(values), 'host')
    const read = {
      hosts: readAll(hosts.all(values), (row) =>
        hostOf(row, slotsOf.get(row['id']) ?? [], backoffsOf.get(row['id']) ?? []),
      ),
      liveness: readAll(liveness.all(values), livenessOf),
      images: readAll(imageLists.all(values), (row) => imagesOf(row, imagesByHost.get(row['host']) ?? [])),
      runners: readAll(runners.all(values), runnerOf),
    }
    return {
      hosts: read.hosts.items,
      liveness: read.liveness.items,
      images: read.images.items,
      runners: read.runners.items,
      unreadable: Object.values(read).flatMap(({ unreadable }) => unreadable),
    }
  }
}
