import { CHANGES_OVERLAP_MS } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type Kept, type State } from './state.ts'

export function readingMethods(state: State): Pick<FleetStore, 'readFleet' | 'readChanges'> {
  const since = (from: number) => ({
    hosts: valuesSince(state.hosts, from),
    liveness: valuesSince(state.liveness, from),
    images: valuesSince(state.images, from),
    runners: valuesSince(state.runners, from),
    unreadable: [],
  })

  return {
    async readFleet() {
      return since(Number.NEGATIVE_INFINITY)
    },

    async readChanges(cursor) {
      const maps: readonly ReadonlyMap<unknown, Kept<unknown>>[] = [
        state.hosts,
        state.liveness,
        state.images,
        state.runners,
      ]
      let last = cursor
      for (const map of maps) for (const { changedAt } of map.values()) last = Math.max(last, changedAt)
      return { ...since(cursor - CHANGES_OVERLAP_MS), cursor: last }
    },
  }
}

function valuesSince<T>(kept: ReadonlyMap<unknown, Kept<T>>, from: number): T[] {
  return [...kept.values()].filter(({ changedAt }) => changedAt >= from).map(({ value }) => copy(value))
}
