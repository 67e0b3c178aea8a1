import type { ObservedRunner, RunnerId } from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'
import type * as z from 'zod'
import type { Call } from './api.ts'
import { quote } from './redact.ts'
import type { Session } from './session.ts'
import { type Generation, OBSERVED_MAX, type ObservedRow, ReconcileAnswer } from './wire.ts'

const TERMINAL = new Set(['stopped', 'failed', 'terminated'])

/**
 * Sends the full set in one call, because the server ends active runners that are missing from it. Throws above the
 * server's limit: split into several calls, each call would end the runners of the others. An empty set is not sent: it
 * would have no effect, and polls already show the server that we are active.
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
      `${ids.length} live runners are more than ${session.api.url} can reconcile in one call (${OBSERVED_MAX}), and the list must not be split. Distribute the fleet over several provisioner tokens.`,
    )
  const { value } = await session.api.ask(toCall(ids), signal)
  const ended = value.terminated_absent_provider_runner_ids
  if (ended.length > 0)
    session.log.emit({
      name: 'source.absent-ended',
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
 * One per observed runner that the server has a row for. `desired_intent` is not used: state and bound job are more
 * precise.
 *
 * With a workspace token, v2 shows a state only after a runner has enrolled, so any state proves the enrolment; an
 * enrolled runner may wait for its job without a session. (With an installation token, v2 shows states earlier, so a
 * runner may count as registered too early. That ends no live runner, and a runner that never registers is ended by its
 * own time limits.)
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
 * On v1 a runner gets its row from our reports. Without a row the server does not know whether the runner has
 * registered, so the runner may be running a job.
 */
function isUnheardOf({ state, runner_session_id, bound_job }: ObservedRow, generation: Generation): boolean {
  return generation === 'v1' && state === null && runner_session_id === null && bound_job === null
}
