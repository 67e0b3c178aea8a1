import type { ObservedRunner, RunnerId, StopReason } from '../../model/index.ts'
import { SourceError } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'
import { orderStop, type OrderStopParts } from './order-stop.ts'
import { failing } from './publish-status.ts'

const RECONCILE_EVERY_MS = 30_000
/** Fresh readings that must agree before a runner counts as never registered. */
const UNREGISTERED_READINGS = 2

type Parts = OrderStopParts & Pick<Planner, 'lease'>

/** For each runner past its deadline: fresh readings in a row in which it had not registered. */
type Unregistered = Map<RunnerId, number>

/** Compares the full set of live runners with the source's own records. */
export async function reconcileWithSource(
  parts: Parts,
  state: SourceState,
  signal: AbortSignal,
): Promise<void> {
  const { clock, lease } = parts
  const unregistered: Unregistered = new Map()
  while (!signal.aborted && lease.holds()) {
    await clock.sleep(RECONCILE_EVERY_MS, signal)
    if (signal.aborted) return
    await reconcileOnce(parts, state, unregistered, signal)
  }
}

async function reconcileOnce(
  parts: Parts,
  state: SourceState,
  unregistered: Unregistered,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, lease, fleet } = parts
  // The source declares lost a runner that is left out of the set: an incomplete set must not be sent.
  if (!fleet.isComplete) return
  const observed = [...fleet.liveRunners()].filter(({ source }) => source === state.id).map(({ id }) => id)
  try {
    const rows = await lease.call(signal, (guarded) => state.source.reconcile(observed, guarded))
    state.runnerCallSucceeded('reconcile')
    for (const row of rows) await check(parts, state, unregistered, row)
    for (const id of unregistered.keys()) if (fleet.runner(id)?.state !== 'running') unregistered.delete(id)
  } catch (thrown) {
    if (!(thrown instanceof SourceError)) throw thrown
    if (signal.aborted) return
    const { kind, message } = thrown
    log.emit({ name: 'source.reconcile-failed', source: state.id, kind, reason: message })
    state.runnerCallFailed('reconcile', failing(kind, message), clock.monotonicMs())
  }
}

async function check(
  parts: Parts,
  state: SourceState,
  unregistered: Unregistered,
  row: ObservedRunner,
): Promise<void> {
  const reason = stopReason(parts, state, unregistered, row)
  if (reason !== null) await orderStop(parts, row.id, reason)
}

/**
 * Ends a runner only on a cancellation, on two readings without a registration, or when no job could be bound to it.
 */
function stopReason(
  { clock, fleet }: Pick<Parts, 'clock' | 'fleet'>,
  { limits }: SourceState,
  unregistered: Unregistered,
  row: ObservedRunner,
): StopReason | null {
  const runner = fleet.runner(row.id)
  if (runner?.state !== 'running' || runner.stop !== null) return null
  if (row.cancellationRequested) return 'canceled'
  if (row.ended && !row.jobBound) return 'source-ended'
  const isOverdue = clock.now() - runner.startedAt > limits.registrationDeadlineMs
  const readings = row.registered || !isOverdue ? 0 : (unregistered.get(row.id) ?? 0) + 1
  const isLost = readings >= UNREGISTERED_READINGS
  if (readings === 0 || isLost) unregistered.delete(row.id)
  else unregistered.set(row.id, readings)
  return isLost ? 'never-registered' : null
}
