import type { ObservedRunner } from '../../model/index.ts'
import { SourceError } from '../../ports/index.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'
import { orderStop } from './order-stop.ts'
import { failing } from './publish-status.ts'

const RECONCILE_EVERY_MS = 30_000
/** Fresh readings that must agree before a runner counts as never registered. */
const UNREGISTERED_READINGS = 2

/** Compares the full set of live runners with what the source thinks of them. */
export async function reconcileWithSource(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<void> {
  const { clock, log } = loop.hub
  while (!signal.aborted && loop.lease.holds()) {
    await clock.sleep(RECONCILE_EVERY_MS, signal)
    if (signal.aborted) return
    // A runner left out of the set is written off: better no comparison than one with a part of it.
    if (!loop.view.isComplete) continue
    const observed = [...loop.view.liveRunners()]
      .filter((runner) => runner.source === desk.id)
      .map(({ id }) => id)
    try {
      const rows = await loop.lease.call(signal, (guarded) => desk.source.reconcile(observed, guarded))
      desk.noteTelling('reconcile', null, clock.monotonicMs())
      for (const row of rows) await judge(loop, desk, row)
      forgetEnded(loop, desk)
    } catch (thrown) {
      if (!(thrown instanceof SourceError)) throw thrown
      if (signal.aborted) return
      const { kind, message } = thrown
      log.emit({ name: 'source.reconcile-failed', source: desk.id, kind, reason: message })
      desk.noteTelling('reconcile', failing(kind, message), clock.monotonicMs())
    }
  }
}

function forgetEnded(loop: Loop, desk: SourceDesk): void {
  for (const id of desk.unregistered.keys())
    if (loop.view.runner(id)?.state !== 'running') desk.unregistered.delete(id)
}

/** Ends a runner only on a cancellation, on two readings without a registration, or when no job could be bound to it. */
async function judge(loop: Loop, desk: SourceDesk, row: ObservedRunner): Promise<void> {
  const runner = loop.view.runner(row.id)
  if (runner?.state !== 'running' || runner.stop !== null) return
  if (row.cancellationRequested) return orderStop(loop, row.id, 'canceled')
  if (row.ended && !row.jobBound) return orderStop(loop, row.id, 'source-ended')
  const overdue = loop.now - runner.startedAt > desk.limits.registrationDeadlineMs
  if (row.registered || !overdue) {
    desk.unregistered.delete(row.id)
    return
  }
  const readings = (desk.unregistered.get(row.id) ?? 0) + 1
  desk.unregistered.set(row.id, readings)
  if (readings < UNREGISTERED_READINGS) return
  desk.unregistered.delete(row.id)
  await orderStop(loop, row.id, 'never-registered')
}
