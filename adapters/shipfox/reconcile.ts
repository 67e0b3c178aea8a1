import type { ObservedRunner, RunnerId } from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'
import type * as z from 'zod'
import type { Call } from './api.ts'
import { quote } from './redact.ts'
import type { Session } from './session.ts'
import { type Generation, OBSERVED_MAX, type ObservedRow, ReconcileAnswer } from './wire.ts'

const TERMINAL = new Set(['stopped', 'failed', 'terminated'])

/**
 * The full set in one call: the server ends active runners that are missing from it. More than it takes is thrown
 * and never cut into calls, or each call would end the runners of the others. Nothing observed is no call at all:
 * the server would do nothing with it, and polls keep us known as active.
 */
export async function reconcile(
  session: Session,
  observed: readonly RunnerId[],
  signal: AbortSignal,
): Promise<readonly ObservedRunner[]> {
  const ids = [...new Set(observed)]
  if (ids.length === 0) return []
  if (ids.length > OBSERVED_MAX)
    throw new SourceError(
      'protocol',
      `${ids.length} live runners are more than ${session.api.url} reconciles at once (${OBSERVED_MAX}), and parts of them it would take for all. Split the fleet over several provisioner tokens.`,
    )
  const { value } = await session.api.ask(toCall(ids), signal)
  const ended = value.terminated_absent_provider_runner_ids
  if (ended.length > 0)
    session.log.warn('source.absent-ended', {
      source: session.id,
      count: ended.length,
      first: quote(ended[0] ?? ''),
    })
  return toObserved(value.runners, ids, session.generation)
}

function toCall(ids: readonly RunnerId[]): Call<z.infer<typeof ReconcileAnswer>> {
  return {
    does: 'reconcile runners',
    method: 'POST',
    path: '/provisioners/runner-instances/reconcile',
    body: { observed_provider_runner_ids: ids },
    answer: ReconcileAnswer,
    effect: 'repeatable',
  }
}

/**
 * One per observed runner that the server has a row for. `desired_intent` says nothing that state and bound job don't
 * say better.
 *
 * v2 shows a workspace token no state before a runner has enrolled, so a state is the proof of it: an enrolled runner
 * may wait for its job without a session. (An installation token sees states earlier. It then takes runners for
 * registered that are not yet, which ends none that lives; their own time limits end those that never come.)
 */
function toObserved(
  rows: readonly ObservedRow[],
  observed: readonly RunnerId[],
  generation: Generation,
): readonly ObservedRunner[] {
  const byId = new Map(rows.map((row) => [row.provider_runner_id, row]))
  return observed.flatMap((id) => {
    const row = byId.get(id)
    if (row === undefined || isUnheardOf(row, generation)) return []
    const enrolled = generation === 'v2' && row.state !== null
    return {
      id,
      registered: enrolled || row.runner_session_id !== null || row.bound_job !== null,
      jobBound: row.bound_job !== null,
      cancellationRequested: typeof row.bound_job?.cancellation_requested_at === 'string',
      ended: TERMINAL.has(row.state ?? ''),
    }
  })
}

/**
 * On v1 a runner gets its row by our reports: without one the server knows nothing of it, not even that it has not
 * registered, and it may well be at work.
 */
function isUnheardOf({ state, runner_session_id, bound_job }: ObservedRow, generation: Generation): boolean {
  return generation === 'v1' && state === null && runner_session_id === null && bound_job === null
}
