import type { RunnerId, RunnerSighting, Sighting, SnapshotEntry } from '../../core/model/index.ts'
import { unreachable } from '../../core/model/index.ts'
import type { Entry } from '../state/ledger.ts'

/** An entry as the hub hears of it; `now` is the clock that the engine's times are of. */
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
  /** Every id that the hub may not have settled; one without an origin has no entry, and is reported afterwards. */
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
