import type { RunnerId } from '../../core/model/index.ts'
import type { Clock } from '../../core/ports/index.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { RunnerEvents } from '../runner-events.ts'

/** How often lifetimes are checked: they are minutes to hours long. */
const CHECK_EVERY_MS = 1_000

/** Ends runners that live too long. Clocks jump (K19), so the age is monotonic time since this agent first saw them. */
export interface Lifetimes {
  run(signal: AbortSignal): Promise<void>
}

export function createLifetimes(deps: { readonly clock: Clock; readonly events: RunnerEvents }): Lifetimes {
  const { clock, events } = deps
  const deadlines = new Map<RunnerId, number>()

  /** Takes up a runner that was found running; one that is known keeps its deadline. */
  function adopt({ runner, startedAt, maxLifetimeMs }: EngineRunner): void {
    if (deadlines.has(runner)) return
    // The wall clock is read once, for the time before this agent: the engine's clock may differ from it.
    const usedMs = Math.max(0, clock.now() - (startedAt ?? clock.now()))
    deadlines.set(runner, clock.monotonicMs() + maxLifetimeMs - usedMs)
  }

  events.subscribe('runner-started', ({ seen }) =>
    deadlines.set(seen.runner, clock.monotonicMs() + seen.maxLifetimeMs),
  )
  events.subscribe('runner-seen-running', ({ seen }) => adopt(seen))
  events.subscribe('entry-changed', ({ entry }) => {
    if (entry.phase !== 'running') deadlines.delete(entry.runner)
  })
  return {
    async run(signal) {
      while (!signal.aborted) {
        const nowMs = clock.monotonicMs()
        for (const [runner, deadlineMs] of deadlines) {
          if (deadlineMs > nowMs) continue
          // From here on its stop is in the journal, and is repeated until the runner has ended.
          deadlines.delete(runner)
          events.publish({ kind: 'lifetime-expired', runner })
        }
        await clock.sleep(CHECK_EVERY_MS, signal)
      }
    },
  }
}
