import { truncate, type SourceCondition, type SourceStatus, STATUS_ENTRIES_MAX } from '../../model/index.ts'
import { oldestFirst, formatRefusal } from '../../plan/index.ts'
import { type Clock, SecretMissing, SourceError, type SourceStatusStore } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'

/** A status that changed is written this soon. */
const TELL_EVERY_MS = 10_000
/** And one that stays the same this often, so that its age tells whether anybody still looks. */
const TELL_AGAIN_MS = 60_000
/** A message or refusal is a sentence or two. */
const TEXT_MAX_CHARACTERS = 1_000

type Parts = Pick<Planner, 'clock' | 'lease'> & { readonly store: Pick<SourceStatusStore, 'putSourceStatus'> }

/** Stores how a source stands, for whoever asks. */
export async function publishStatus(parts: Parts, state: SourceState, signal: AbortSignal): Promise<void> {
  const { store, clock, lease } = parts
  let told = ''
  let toldAtMs = -Infinity
  while (!signal.aborted && lease.holds()) {
    const status = statusOf(clock, state)
    const text = JSON.stringify({ ...status, checkedAt: 0 })
    const isNews = status !== null && (text !== told || clock.monotonicMs() - toldAtMs >= TELL_AGAIN_MS)
    if (status !== null && isNews) {
      await store.putSourceStatus(status)
      told = text
      toldAtMs = clock.monotonicMs()
    }
    // The first answer is told as soon as it is there: a short visit has no more than that.
    await clock.sleep(status === null ? FIRST_LOOK_MS : TELL_EVERY_MS, signal)
  }
}

const FIRST_LOOK_MS = 250

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

/** How a source stands whose call failed. Throws what is no failure of a source. */
export function conditionAfter(thrown: unknown): SourceCondition {
  if (thrown instanceof SecretMissing) return { kind: 'secret-missing', parameter: thrown.parameter }
  if (thrown instanceof SourceError) return failing(thrown.kind, thrown.message)
  throw thrown
}

export function failing(code: string, message: string): SourceCondition {
  return { kind: 'failing', code, message: truncate(message, TEXT_MAX_CHARACTERS) }
}
