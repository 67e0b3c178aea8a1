import type { Template } from '../../model/index.ts'
import type { CapacityPromise, SourceDemand, World } from '../../plan/index.ts'
import type { SourceState } from './source-state.ts'
import type { WorkFacts } from './work-monitor.ts'

/** What the decisions in `core/plan` are given, as known at the moment of the call. */
export class PlanInputs {
  readonly #facts: WorkFacts
  readonly #templates: () => readonly Template[]

  constructor(facts: WorkFacts, templates: () => readonly Template[]) {
    this.#facts = facts
    this.#templates = templates
  }

  world(): World {
    const { clock, fleet, claims } = this.#facts
    return fleet.world(clock.now(), this.#templates(), [...claims])
  }

  demandOf(state: SourceState): SourceDemand {
    return { ...state.demand, live: this.#facts.fleet.liveOf(state.id) }
  }

  /** What the other sources want and hold. One that can't be polled now is left out: it would keep capacity unused. */
  demandBeside(state: SourceState): readonly SourceDemand[] {
    const served = this.#facts.sources.beside(state).filter((other) => other.isServed)
    return served.map((other) => this.demandOf(other))
  }

  promisedBeside(state: SourceState): readonly CapacityPromise[] {
    return this.#facts.sources.promisedBeside(state)
  }
}
