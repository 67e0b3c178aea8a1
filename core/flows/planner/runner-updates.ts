import type { EpochMs, Runner, RunnerId } from '../../model/index.ts'
import { reportOf } from '../../plan/index.ts'
import type { Advance } from './fleet-cache.ts'
import { type HostBackoffParts, learnFromEnd } from './host-backoff.ts'
import type { PlannerState } from './planner-state.ts'
import { runnerEvent } from './runner-event.ts'

type Parts = HostBackoffParts & Pick<PlannerState, 'sources' | 'work'>

/** Takes in the states of runners, and does what follows from each transition. */
export class RunnerUpdates {
  readonly #parts: Parts
  /** For each reserved runner, since when the oldest job of its label set had waited. */
  readonly #queuedAt = new Map<RunnerId, EpochMs>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Records since when the oldest job of the label set has waited for which this runner was reserved. */
  noteQueuedAt(id: RunnerId, queuedAt: EpochMs): void {
    this.#queuedAt.set(id, queuedAt)
  }

  /** Takes in a runner's newest state; null = there is none. */
  advance(runner: Runner | null): void {
    if (runner === null) return
    const moved = this.#parts.fleet.applyRunner(runner)
    if (moved !== null) this.follow(moved)
  }

  /** Does what follows from a transition that the cache has taken in already. */
  follow({ before, after }: Advance): void {
    if (before === null && after.state === 'gone') return
    this.#parts.work.sawWork()
    this.report(after)
    this.#parts.log.emit(runnerEvent(after, this.#queuedAt.get(after.id) ?? null))
    if (after.state !== 'reserved' && after.state !== 'dispatched') this.#queuedAt.delete(after.id)
    if (after.state === 'gone') learnFromEnd(this.#parts, after)
  }

  /** Queues the runner's state for the next report to its source. */
  report(runner: Runner): void {
    const state = this.#parts.sources.find(runner.source)
    const report = reportOf(runner, this.#parts.clock.now())
    if (state === undefined || report === null) return
    state.reports.enqueue(report, runner.state === 'gone' ? runner.goneAt : null)
  }
}
