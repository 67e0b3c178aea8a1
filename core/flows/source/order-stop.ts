import type { RunnerId, StopReason } from '../../model/index.ts'
import type { Loop } from '../planner/planner.ts'

/** The source says that the job of this runner was canceled. */
export function cancelRunner(loop: Loop, id: RunnerId): void {
  const runner = loop.view.runner(id)
  if (runner === undefined || runner.state === 'gone' || runner.stop !== null) return
  loop.tasks.run(orderStop(loop, id, 'canceled'))
}

/** Writes the order down; upkeep sends it to the agent, and repeats it until the runner has ended. */
export async function orderStop(loop: Loop, id: RunnerId, reason: StopReason): Promise<void> {
  const runner = loop.view.runner(id)
  if (runner === undefined) return
  loop.hub.log.emit({ name: 'runner.stop-ordered', runner: id, reason })
  const stop = { reason, requestedAt: loop.now }
  const { runner: after } = await loop.hub.store.orderStop({ host: runner.host, id, stop, now: loop.now })
  loop.advance(after)
  loop.changes.notify()
}
