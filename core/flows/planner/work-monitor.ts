import type { EpochMs } from '../../model/index.ts'
import type { CapacityPromise } from '../../plan/index.ts'
import type { Clock } from '../../ports/index.ts'
import type { FleetCache } from './fleet-cache.ts'
import type { SourceStates } from './source-states.ts'

export interface WorkFacts {
  readonly clock: Clock
  readonly fleet: FleetCache
  readonly sources: SourceStates
  /** Claims on their way to the store. */
  readonly claims: ReadonlySet<CapacityPromise>
}

/** Whether there is work, and how long ago there was. */
export class WorkMonitor {
  readonly #facts: WorkFacts
  #lastWorkAtMs: number

  /** `lastWorkAt`: as the last lease holder noted it. */
  constructor(facts: WorkFacts, lastWorkAt: EpochMs) {
    const { clock } = facts
    this.#facts = facts
    this.#lastWorkAtMs = clock.monotonicMs() - Math.max(0, clock.now() - lastWorkAt)
  }

  /** A runner lives, a job waits, or a source has not received the end of a runner. */
  get isLeft(): boolean {
    const { fleet, claims, sources } = this.#facts
    if (fleet.liveRunnerCount > 0 || claims.size > 0) return true
    return sources.all.some((state) => state.hasWork)
  }

  get msSinceWork(): number {
    return this.#facts.clock.monotonicMs() - this.#lastWorkAtMs
  }

  get lastWorkAt(): EpochMs {
    return this.#facts.clock.now() - this.msSinceWork
  }

  sawWork(): void {
    this.#lastWorkAtMs = this.#facts.clock.monotonicMs()
  }
}
