import { truncate, type SourceCondition, type SourceStatus, STATUS_ENTRIES_MAX } from '../../model/index.ts'
import { oldestFirst, formatRefusal } from '../../plan/index.ts'
import { type Clock, SecretMissing, SourceError, type SourceStatusStore } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'

/** A changed status is stored within this time. */
const PUBLISH_EVERY_MS = 10_000
/** Rewrite an unchanged status this often, so that readers can judge its freshness. */
const REWRITE_AFTER_MS = 60_000
/** One or two sentences: the status item stays small. */
const TEXT_MAX_CHARACTERS = 1_000

type Parts = Pick<Planner, 'clock' | 'lease'> & { readonly store: Pick<SourceStatusStore, 'putSourceStatus'> }

/** Stores the status of a source, for the API. */
export async function publishStatus(parts: Parts, state: SourceState, signal: AbortSignal): Promise<void> {
  const { store, clock, lease } = parts
  let published = ''
  let publishedAtMs = -Infinity
  while (!signal.aborted && lease.holds()) {
    const status = statusOf(clock, state)
    const text = JSON.stringify({ ...status, checkedAt: 0 })
    const isNews =
      status !== null && (text !== published || clock.monotonicMs() - publishedAtMs >= REWRITE_AFTER_MS)
    if (status !== null && isNews) {
      await store.putSourceStatus(status)
      published = text
      publishedAtMs = clock.monotonicMs()
    }
    // The first answer is stored at once: a short run may have no other.
    await clock.sleep(status === null ? FIRST_CHECK_MS : PUBLISH_EVERY_MS, signal)
  }
}

const FIRST_CHECK_MS = 250

function statusOf(clock: Clock, state: SourceState): SourceStatus | null {
  const condition = state.conditionAt(clock.monotonicMs())
  if (condition === null) return null
  return {
    source: state.id,
    checkedAt: clock.now(),
    state: condition,
    waiting: oldestFirst(state.waiting).slice(0, STATUS_ENTRIES_MAX),
    refusals: state.refusals.slice(0, STATUS_ENTRIES_MAX).map((refusal) => ({
      labels: refusal.labels,
      count: refusal.count,
      text: truncate(formatRefusal(refusal), TEXT_MAX_CHARACTERS),
    })),
  }
}

/** The condition of a source after a failed call. Rethrows what is not a `SourceError`. */
export function conditionAfter(thrown: unknown): SourceCondition {
  if (thrown instanceof SecretMissing) return { kind: 'secret-missing', parameter: thrown.parameter }
  if (thrown instanceof SourceError) return failing(thrown.kind, thrown.message)
  throw thrown
}

export function failing(code: string, message: string): SourceCondition {
  return { kind: 'failing', code, message: truncate(message, TEXT_MAX_CHARACTERS) }
}
