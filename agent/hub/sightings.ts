import type { RunnerId, RunnerSighting, Sighting, SnapshotEntry } from '../../core/model/index.ts'
import { unreachable } from '../../core/model/index.ts'
import type { Entry } from '../state/ledger.ts'

/** A journal entry as the hub receives it. `now` is on the same clock as the engine's times. */
export function sightingOf(entry: Entry, now: number): RunnerSighting {
  const cleared = entry.phase === 'exited' || entry.phase === 'refused' ? entry.cleared : false
  return { runner: entry.runner, sighting: phaseOf(entry, now), cleared }
}

function phaseOf(entry: Entry, now: number): Sighting {
  const agoMs = (time: number): number => Math.max(0, Math.round(now - time))
  switch (entry.phase) {
    case 'accepted':
      return { phase: 'accepted' }
    case 'running':
      return { phase: 'running', agoMs: agoMs(entry.startedAt) }
    case 'exited': {
      const startedAgoMs = entry.startedAt === null ? null : agoMs(entry.startedAt)
      return { phase: 'exited', agoMs: agoMs(entry.finishedAt), startedAgoMs, end: entry.end }
    }
    case 'refused':
      return { phase: 'refused', end: entry.end }
    default:
      return unreachable(entry)
  }
}

export interface SnapshotContent {
  readonly entries: readonly SnapshotEntry[]
  /** Every runner that is not settled. One without an origin has no entry here and is reported afterwards. */
  readonly complete: readonly RunnerId[]
  readonly versions: ReadonlyMap<RunnerId, number>
}

export function snapshotOf(entries: Iterable<Entry>, now: number): SnapshotContent {
  const unsettled = [...entries].filter((entry) => entry.settledAt === null)
  return {
    entries: unsettled.flatMap((entry) =>
      entry.origin === null ? [] : [{ ...sightingOf(entry, now), origin: entry.origin }],
    ),
    complete: unsettled.map(({ runner }) => runner),
    versions: new Map(unsettled.map(({ runner, version }) => [runner, version])),
  }
}
