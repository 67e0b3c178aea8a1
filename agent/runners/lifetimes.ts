import type { RunnerId } from '../../core/model/index.ts'
import type { Clock } from '../../core/ports/index.ts'
import type { EngineRunner } from '../engines/engine.ts'

/** How often lifetimes are looked at: their bound is minutes to hours. */
const CHECK_EVERY_MS = 1_000

/** Ends runners that live too long. Clocks jump (K19), so the age is monotonic time since this agent first saw them. */
export interface Lifetimes {
  /** Takes up a runner that this agent has just started. */
  begin(seen: EngineRunner): void
  /** Takes up a runner that was found running; one that is known is left as it is. */
  adopt(seen: EngineRunner): void
  untrack(runner: RunnerId): void
  run(signal: AbortSignal): Promise<void>
}

export function createLifetimes(deps: {
  readonly clock: Clock
  readonly onExpired: (runner: RunnerId) => void
}): Lifetimes {
  const { clock, onExpired } = deps
  const deadlines = new Map<RunnerId, number>()
  return {
    begin({ runner, maxLifetimeMs }) {
      deadlines.set(runner, clock.monotonicMs() + maxLifetimeMs)
    },
    adopt({ runner, startedAt, maxLifetimeMs }) {
      if (deadlines.has(runner)) return
      // The wall clock is asked once, for the time before this agent. The engine may have another one, so never else.
      const usedMs = Math.max(0, clock.now() - (startedAt ?? clock.now()))
      deadlines.set(runner, clock.monotonicMs() + maxLifetimeMs - usedMs)
    },
    untrack: (runner) => {
      deadlines.delete(runner)
    },
    async run(signal) {
      while (!signal.aborted) {
        const nowMs = clock.monotonicMs()
        for (const [runner, deadlineMs] of deadlines) {
          if (deadlineMs > nowMs) continue
          // Its stop stands in the journal from here on, and is repeated until it has ended.
          deadlines.delete(runner)
          onExpired(runner)
        }
        await clock.sleep(CHECK_EVERY_MS, signal)
      }
    },
  }
}
