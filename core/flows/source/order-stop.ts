import type { RunnerId, StopReason } from '../../model/index.ts'
import type { RunnerStore } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'

export type OrderStopParts = Pick<Planner, 'clock' | 'log' | 'fleet' | 'runners' | 'fleetChanged'> & {
  readonly store: Pick<RunnerStore, 'orderStop'>
}

/** The source says that the job of this runner was canceled. */
export function cancelRunner(parts: OrderStopParts & Pick<Planner, 'tasks'>, id: RunnerId): void {
  const runner = parts.fleet.runner(id)
  if (runner === undefined || runner.state === 'gone' || runner.stop !== null) return
  parts.tasks.run(orderStop(parts, id, 'canceled'))
}

/** Stores the order; the repair task sends it to the agent, and repeats it until the runner has ended. */
export async function orderStop(
  { store, clock, log, fleet, runners, fleetChanged }: OrderStopParts,
  id: RunnerId,
  reason: StopReason,
): Promise<void> {
  const runner = fleet.runner(id)
  if (runner === undefined) return
  log.emit({ name: 'runner.stop-ordered', runner: id, reason })
  const now = clock.now()
  const stop = { reason, requestedAt: now }
  const { runner: after } = await store.orderStop({ host: runner.host, id, stop, now })
  runners.advance(after)
  fleetChanged.notify()
}
