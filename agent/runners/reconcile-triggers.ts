import type { RunnerId } from '../../core/model/index.ts'
import type { EngineEvent } from '../engines/engine.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Journal } from '../state/journal.ts'
import type { Launcher } from './launcher.ts'
import type { Reconciler } from './reconciler.ts'

/** Enqueues a runner when something happens to it. What happens during its launch waits until the launch is over. */
export function reconcileOnEvents(
  events: RunnerEvents,
  deps: { readonly journal: Journal; readonly launcher: Launcher; readonly reconciler: Reconciler },
): void {
  const { journal, launcher, reconciler } = deps
  /** Runners that something happened to while they were being launched. */
  const missed = new Set<RunnerId>()

  function isExpected({ runner, kind }: EngineEvent): boolean {
    // A process of a runner may be ended for memory while its container runs on.
    if (kind === 'oom') return true
    const isRunning = journal.ledger.entries.get(runner)?.phase === 'running'
    return kind === 'started' && (isRunning || launcher.isLaunching(runner))
  }

  events.subscribe('engine-event', ({ event }) => {
    if (isExpected(event)) return
    if (launcher.isLaunching(event.runner)) missed.add(event.runner)
    else reconciler.enqueue(event.runner)
  })
  events.subscribe('launch-ended', ({ runner, running }) => {
    const stopping = journal.ledger.entries.get(runner)?.stopping ?? null
    if (missed.delete(runner) || !running || stopping !== null) reconciler.enqueue(runner)
  })
  events.subscribe('lifetime-expired', ({ runner }) =>
    reconciler.end(runner, { code: 'max-lifetime', reason: 'It reached its maximum lifetime.' }),
  )
}
