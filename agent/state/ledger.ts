import {
  fence,
  type Epoch,
  type Fence,
  type ReportedEnd,
  type RunnerId,
  type RunnerOrigin,
} from '../../core/model/index.ts'
import type { JournalRecord, RunnerRecord, StopCode } from '../../protocol/journal.ts'

/** What the journal says about one runner. */
export type Entry = EntryFacts &
  (
    | { readonly phase: 'accepted' }
    | { readonly phase: 'running'; readonly startedAt: number }
    | {
        readonly phase: 'exited'
        readonly startedAt: number | null
        readonly finishedAt: number
        readonly end: ReportedEnd
        readonly cleared: boolean
      }
    | { readonly phase: 'refused'; readonly end: ReportedEnd; readonly cleared: boolean }
  )

interface EntryFacts {
  readonly runner: RunnerId
  /** Null: refused before it was ever described, or settled long ago. */
  readonly origin: RunnerOrigin | null
  /** The boot of the engine's machine in which it was started; null = unknown. */
  readonly bootId: string | null
  readonly stopping: { readonly code: StopCode; readonly reason: string } | null
  /** Increases with every change that the hub should receive. */
  readonly version: number
  /** When the hub had acknowledged its last state; null = not yet. */
  readonly settledAt: number | null
}

export type LiveEntry = Extract<Entry, { phase: 'accepted' | 'running' }>
export type EndedEntry = Exclude<Entry, LiveEntry>

export function isLive(entry: Entry): entry is LiveEntry {
  return entry.phase === 'accepted' || entry.phase === 'running'
}

/**
 * The entry after one record. Phases only move forward and an end is final: a record that would move a phase back has no
 * effect, in whatever order records come.
 */
export function applyRecord(entry: Entry | undefined, record: RunnerRecord): Entry | undefined {
  switch (record.record) {
    case 'accepted':
      return entry ?? { ...newFacts(record), phase: 'accepted', bootId: record.bootId }
    case 'running':
      return applyRunning(entry, record)
    case 'stopping':
      if (entry === undefined || !isLive(entry) || entry.stopping !== null) return entry
      return { ...entry, stopping: { code: record.code, reason: record.reason } }
    case 'exited':
      return applyExited(entry, record)
    case 'refused':
      if (entry !== undefined && entry.phase !== 'accepted') return entry
      return { ...next(entry, record), phase: 'refused', end: record.end, cleared: false }
    case 'cleared':
      if (entry === undefined || isLive(entry) || entry.cleared) return entry
      return { ...entry, cleared: true, version: entry.version + 1 }
    case 'settled':
      if (entry === undefined || isLive(entry) || !entry.cleared || entry.settledAt !== null) return entry
      // Only a snapshot needs the origin, and a snapshot contains no settled runners.
      return { ...entry, settledAt: record.at, origin: null }
    default:
      return record satisfies never
  }
}

function applyRunning(entry: Entry | undefined, record: Extract<RunnerRecord, { record: 'running' }>): Entry {
  if (entry !== undefined && entry.phase !== 'accepted') return entry
  const bootId = record.bootId ?? entry?.bootId ?? null
  return { ...next(entry, record), phase: 'running', bootId, startedAt: record.startedAt }
}

function applyExited(entry: Entry | undefined, record: Extract<RunnerRecord, { record: 'exited' }>): Entry {
  if (entry !== undefined && !isLive(entry)) return entry
  const { startedAt, finishedAt, end } = record
  return { ...next(entry, record), phase: 'exited', startedAt, finishedAt, end, cleared: false }
}

function newFacts(record: { runner: RunnerId; origin: RunnerOrigin | null }): EntryFacts {
  const { runner, origin } = record
  return { runner, origin, bootId: null, stopping: null, version: 1, settledAt: null }
}

function next(
  entry: Entry | undefined,
  record: { runner: RunnerId; origin: RunnerOrigin | null },
): EntryFacts {
  if (entry === undefined) return newFacts(record)
  const { runner, bootId, stopping, settledAt } = entry
  return {
    runner,
    origin: entry.origin ?? record.origin,
    bootId,
    stopping,
    settledAt,
    version: entry.version + 1,
  }
}

/** The records that restore an entry, for a compacted journal. `version` starts again: it never leaves the process. */
export function recordsOf(entry: Entry): readonly RunnerRecord[] {
  const { runner, origin, bootId } = entry
  const base = { runner, origin, at: 0 }
  const records: RunnerRecord[] = []
  if (entry.phase === 'accepted' || bootId !== null) records.push({ record: 'accepted', ...base, bootId })
  if (entry.phase === 'running') {
    records.push({ record: 'running', ...base, bootId, startedAt: entry.startedAt })
  }
  if (entry.stopping !== null) {
    if (records.length === 0) records.push({ record: 'accepted', ...base, bootId })
    records.push({ record: 'stopping', runner, at: 0, ...entry.stopping })
  }
  if (entry.phase === 'exited') {
    const { startedAt, finishedAt, end } = entry
    records.push({ record: 'exited', ...base, startedAt, finishedAt, end })
  }
  if (entry.phase === 'refused') records.push({ record: 'refused', ...base, end: entry.end })
  if (!isLive(entry) && entry.cleared) records.push({ record: 'cleared', runner, at: 0 })
  if (entry.settledAt !== null) records.push({ record: 'settled', runner, at: entry.settledAt })
  return records
}

/** Everything that an agent process needs to know about its predecessors. */
export interface Ledger {
  readonly entries: ReadonlyMap<RunnerId, Entry>
  readonly fence: Fence
  /** Null: no hub has ever accepted this installation. */
  readonly epoch: Epoch | null
}

export interface MutableLedger extends Ledger {
  /** True when the record changed something. */
  apply(record: JournalRecord): boolean
  /** Forgets the settled runners that `mayForget` names. */
  forget(mayForget: (entry: Entry) => boolean): void
  records(): readonly JournalRecord[]
}

export function createLedger(): MutableLedger {
  const entries = new Map<RunnerId, Entry>()
  let highest = fence(0)
  let epoch: Epoch | null = null

  function applyToRunner(record: RunnerRecord): boolean {
    const before = entries.get(record.runner)
    const after = applyRecord(before, record)
    if (after === undefined || after === before) return false
    entries.set(record.runner, after)
    return true
  }

  function apply(record: JournalRecord): boolean {
    if (record.record === 'session') {
      const changed = record.epoch !== epoch
      epoch = record.epoch
      return changed
    }
    if (record.record !== 'fence') return applyToRunner(record)
    if (record.fence <= highest) return false
    highest = record.fence
    return true
  }

  return {
    entries,
    get fence() {
      return highest
    },
    get epoch() {
      return epoch
    },
    apply,
    forget(mayForget) {
      for (const entry of entries.values()) {
        if (entry.settledAt !== null && mayForget(entry)) entries.delete(entry.runner)
      }
    },
    records() {
      const head: JournalRecord[] = highest > 0 ? [{ record: 'fence', fence: highest }] : []
      if (epoch !== null) head.push({ record: 'session', epoch })
      return [...head, ...[...entries.values()].flatMap(recordsOf)]
    },
  }
}
