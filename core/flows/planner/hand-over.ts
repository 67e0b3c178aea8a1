import type { EpochMs } from '../../model/index.ts'
import type { Clock } from '../../ports/index.ts'
import type { WorkMonitor } from './work-monitor.ts'

/** For a planner whose time is bounded: when it must hand over, and when it may leave because there is no work. */
export interface Turn {
  /** By the monotonic clock. */
  readonly handOverAtMs: number
  /** Asked only while nothing lives and nothing waits. */
  readonly staysInQuiet: (lastWorkAt: EpochMs, now: EpochMs) => boolean
}

/** When this planner gives up its lease by itself. */
export class HandOver {
  readonly #clock: Clock
  readonly #work: WorkMonitor
  readonly #turn: Turn | null
  #hasBegun = false

  /** `turn` null: never. */
  constructor({ clock, work }: { clock: Clock; work: WorkMonitor }, turn: Turn | null) {
    this.#clock = clock
    this.#work = work
    this.#turn = turn
  }

  /** True: no new poll and no new mint; what is under way is completed. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  begin(): void {
    this.#hasBegun = true
  }

  /** Time until this planner must have handed over. */
  get msLeft(): number {
    return this.#turn === null ? Infinity : this.#turn.handOverAtMs - this.#clock.monotonicMs()
  }

  /** There is no work, and the time of day asks for no more than one look. */
  get mayLeave(): boolean {
    if (this.#turn === null || this.#work.isLeft) return false
    return !this.#turn.staysInQuiet(this.#work.lastWorkAt, this.#clock.now())
  }
}
