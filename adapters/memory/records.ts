import type { EpochMs } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { Kept, State } from './state.ts'

type RecordMethods = Pick<FleetStore, 'putCrashReport' | 'getCrashReport' | 'removeExpired'>

export function recordMethods(state: State): RecordMethods {
  return {
    async putCrashReport({ host, runner, part, parts, text, now }) {
      const value = { host, runner, part, parts, text }
      state.crashReports.set(`${host}/${runner}/${part}`, { value, changedAt: now })
    },

    async getCrashReport(host, runner) {
      const found = [...state.crashReports.values()]
        .map(({ value }) => value)
        .filter((kept) => kept.host === host && kept.runner === runner)
        .toSorted((left, right) => left.part - right.part)
      if (found.length === 0 || found.some(({ parts }) => parts !== found.length)) return null
      return found.map(({ text }) => text).join('')
    },

    async removeExpired({ before, limit }) {
      const tombstones = removeOld(state.runners, before, limit, ({ value }) => value.state === 'gone')
      return tombstones + removeOld(state.crashReports, before, limit - tombstones, () => true)
    },
  }
}

function removeOld<K, T>(
  kept: Map<K, Kept<T>>,
  before: EpochMs,
  limit: number,
  isRemovable: (one: Kept<T>) => boolean,
): number {
  const old = [...kept]
    .filter(([, one]) => one.changedAt < before && isRemovable(one))
    .toSorted(([, left], [, right]) => left.changedAt - right.changedAt)
    .slice(0, Math.max(0, limit))
  for (const [key] of old) kept.delete(key)
  return old.length
}
