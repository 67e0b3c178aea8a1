import type { SourceId } from '../../model/index.ts'
import type { CapacityPromise } from '../../plan/index.ts'
import type { DemandSource } from '../../ports/index.ts'
import { SourceState } from './source-state.ts'

/** The state of every configured source. */
export class SourceStates {
  readonly all: readonly SourceState[]

  constructor(sources: readonly DemandSource[]) {
    this.all = sources.map((source) => new SourceState(source))
  }

  /** Undefined: the source is no longer configured. */
  find(id: SourceId): SourceState | undefined {
    return this.all.find((state) => state.id === id)
  }

  beside(state: SourceState): readonly SourceState[] {
    return this.all.filter((other) => other !== state)
  }

  /** Capacity promised to polls of the other sources, as a plan for `state` must count it. */
  promisedBeside(state: SourceState): readonly CapacityPromise[] {
    return this.beside(state).flatMap((other) => other.promises)
  }

  /** Capacity may have come free: sources whose known jobs found none are polled at once. */
  capacityFreed(): void {
    for (const state of this.all) if (state.isStarved) state.pollNeeded.notify()
  }

  pollAll(): void {
    for (const state of this.all) state.pollNeeded.notify()
  }
}
