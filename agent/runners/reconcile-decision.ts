import type { ReportedEnd } from '../../core/model/index.ts'
import type { EngineRunner } from '../engines/engine.ts'
import { endOf, failed, vanished } from './exit-reasons.ts'
import { isLive, type EndedEntry, type Entry, type LiveEntry } from '../state/ledger.ts'

/*
 * What to do about one runner, from the engine's view and the journal. Pure. A listing only selects the runners to
 * reconcile; each step is decided on a fresh inspect of the one runner (unknown is not absent).
 */

export type Action =
  | { readonly kind: 'nothing' }
  /** It runs, and the journal does not say so yet. */
  | { readonly kind: 'adopt'; readonly seen: EngineRunner }
  /** It ran and has ended. */
  | {
      readonly kind: 'end'
      readonly startedAt: number | null
      readonly finishedAt: number
      readonly end: ReportedEnd
    }
  /** It has no container and never will have one. */
  | { readonly kind: 'refuse'; readonly end: ReportedEnd }
  /** A container that was never started: remove it, then refuse. */
  | { readonly kind: 'discard'; readonly end: ReportedEnd }
  /** It has ended, and its container still exists. */
  | { readonly kind: 'clear' }
  /** It has ended, and its container is gone. */
  | { readonly kind: 'note-cleared' }
  /** It runs although it must not: it was ordered to stop, or its end is already recorded. */
  | { readonly kind: 'stop' }

export interface ReconcileInput {
  /** Null: certainly absent. */
  readonly seen: EngineRunner | null
  /** Undefined: not in this agent's journal. */
  readonly entry: Entry | undefined
  /** The launcher is working on it, and reconciliation must not interfere. */
  readonly launching: boolean
  readonly bootId: string
  /** Wall clock, for records. */
  readonly now: number
  /** Whether to keep the stopped container of this entry for inspection. */
  readonly keeps: (entry: EndedEntry) => boolean
}

export function reconcileRunner(input: ReconcileInput): Action {
  const { seen, entry, launching } = input
  if (launching) return { kind: 'nothing' }
  if (entry !== undefined && !isLive(entry)) return reconcileEnded(seen, entry, input)
  if (seen !== null) return reconcileSeen(seen, entry, input)
  return entry === undefined ? { kind: 'nothing' } : reconcileAbsent(entry, input)
}

function reconcileSeen(seen: EngineRunner, entry: LiveEntry | undefined, input: ReconcileInput): Action {
  switch (seen.state) {
    case 'running':
      if (entry !== undefined && entry.stopping !== null) return { kind: 'stop' }
      return entry?.phase === 'running' ? { kind: 'nothing' } : { kind: 'adopt', seen }
    case 'created':
      // A machine that lost power may forget that its container had started.
      if (entry?.phase === 'running') return ended(seen, entry, input)
      // Its start was never requested, or the outcome is unknown. Starting it now could be a second start.
      return { kind: 'discard', end: neverStarted(entry) }
    case 'exited':
    case 'dead':
      if (seen.startedAt === null && entry?.phase !== 'running') {
        return {
          kind: 'discard',
          end: failed('engine-failed', seen.error ?? 'The engine could not start it.'),
        }
      }
      return ended(seen, entry, input)
    default:
      return seen.state satisfies never
  }
}

function ended(seen: EngineRunner, entry: LiveEntry | undefined, { bootId, now }: ReconcileInput): Action {
  const startedAt = seen.startedAt ?? (entry?.phase === 'running' ? entry.startedAt : null)
  return { kind: 'end', startedAt, finishedAt: seen.finishedAt ?? now, end: endOf(seen, entry, bootId) }
}

function reconcileAbsent(entry: LiveEntry, { now }: ReconcileInput): Action {
  if (entry.phase === 'accepted') return { kind: 'refuse', end: neverStarted(entry) }
  return { kind: 'end', startedAt: entry.startedAt, finishedAt: now, end: vanished(entry) }
}

function neverStarted(entry: LiveEntry | undefined): ReportedEnd {
  if (entry !== undefined && entry.stopping !== null)
    return { outcome: 'failed', ...entry.stopping, exitCode: null }
  return failed('never-started', 'Its launch was interrupted before its container was known to have started.')
}

function reconcileEnded(seen: EngineRunner | null, entry: EndedEntry, { keeps }: ReconcileInput): Action {
  if (seen === null) return entry.cleared ? { kind: 'nothing' } : { kind: 'note-cleared' }
  if (seen.state === 'running') return { kind: 'stop' }
  return entry.cleared && keeps(entry) ? { kind: 'nothing' } : { kind: 'clear' }
}
