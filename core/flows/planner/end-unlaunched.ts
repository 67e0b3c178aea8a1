import type { DispatchedRunner, EndCode, ReservedRunner } from '../../model/index.ts'
import type { HostStore, RunnerStore } from '../../ports/index.ts'
import type { Planner } from './planner.ts'

export type EndUnlaunchedParts = Pick<Planner, 'clock' | 'lease' | 'runners' | 'fleetChanged'> & {
  readonly store: Pick<RunnerStore, 'endRunner'> & Pick<HostStore, 'freeSlot'>
}

/**
 * Ends a runner that has not reached its agent, and then frees its slot, in this order. Only in the state in which it
 * was seen: a runner that a successor has advanced is the successor's.
 */
export async function endUnlaunched(
  { clock, lease, runners, fleetChanged, store }: EndUnlaunchedParts,
  { host, id, state }: ReservedRunner | DispatchedRunner,
  code: EndCode,
  reason: string,
): Promise<void> {
  if (!lease.holds()) return
  const ending = { outcome: 'failed', code, reason, exitCode: null } as const
  const { moved, runner } = await store.endRunner({ host, id, ending, only: [state], now: clock.now() })
  runners.advance(runner)
  if (moved) await store.freeSlot({ host, runner: id, now: clock.now() })
  fleetChanged.notify()
}
