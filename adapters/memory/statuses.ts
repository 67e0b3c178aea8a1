import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type State } from './state.ts'

export function statusMethods({
  statuses,
}: State): Pick<FleetStore, 'putSourceStatus' | 'readSourceStatuses'> {
  return {
    async putSourceStatus(status) {
      statuses.set(status.source, copy(status))
    },

    async readSourceStatuses() {
      return [...statuses.keys()].toSorted().flatMap((source) => copy(statuses.get(source)) ?? [])
    },
  }
}
