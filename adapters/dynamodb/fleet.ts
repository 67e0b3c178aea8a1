import {
  type Fleet,
  type Host,
  type HostImages,
  type HostLiveness,
  type Runner,
  type UnreadableItem,
  messageOf,
  unreachable,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { HostRecord, ImagesRecord, LivenessRecord, RunnerRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { idsOf, kindOf } from './keys.ts'
import type { Row, TableClient } from './table-client.ts'

export function fleetMethods(table: TableClient): Pick<FleetStore, 'readFleet'> {
  return {
    async readFleet() {
      const found: Row[] = []
      for await (const page of table.scan()) found.push(...page)
      return fleetOf(found)
    },
  }
}

/**
 * Sorts items into a fleet. An item that can't be parsed is listed in `unreadable`: dropping it would make the runner
 * or host look absent, and throwing would make the whole read fail.
 */
export function fleetOf(rows: Iterable<Row>): Fleet {
  const hosts: Host[] = []
  const liveness: HostLiveness[] = []
  const images: HostImages[] = []
  const runners: Runner[] = []
  const unreadable: UnreadableItem[] = []
  for (const row of rows) {
    try {
      const kind = kindOf(row)
      switch (kind) {
        case 'host':
          hosts.push(parseItem(HostRecord, row))
          break
        case 'liveness':
          liveness.push(parseItem(LivenessRecord, row))
          break
        case 'images':
          images.push(parseItem(ImagesRecord, row))
          break
        case 'runner':
          runners.push(parseItem(RunnerRecord, row))
          break
        case 'other':
          break
        default:
          unreachable(kind)
      }
    } catch (thrown) {
      unreadable.push({ ...idsOf(row), problem: messageOf(thrown) })
    }
  }
  return { hosts, liveness, images, runners, unreadable }
}
