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
import { HostItem, ImagesItem, LivenessItem, parseItem, RunnerItem } from './items.ts'
import { idsOf, kindOf } from './keys.ts'
import type { Row, Rows } from './table-client.ts'

export function fleetMethods(rows: Rows): Pick<FleetStore, 'readFleet'> {
  return {
    async readFleet() {
      const found: Row[] = []
      for await (const page of rows.scan()) found.push(...page)
      return fleetOf(found)
    },
  }
}

/**
 * Sorts items into a fleet. One that can't be read is neither dropped nor lets the whole reading fail: it is named in
 * `unreadable`, because to a reader who takes what is missing for absent, it would seem absent.
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
          hosts.push(parseItem(HostItem, row))
          break
        case 'liveness':
          liveness.push(parseItem(LivenessItem, row))
          break
        case 'images':
          images.push(parseItem(ImagesItem, row))
          break
        case 'runner':
          runners.push(parseItem(RunnerItem, row))
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
