import type { Backoff, ReservedRunner, SourceLimits } from '../../model/index.ts'
import { countMint, mintAllowance, type MintWindow, nextBackoff } from '../../plan/index.ts'
import type { Clock } from '../../ports/index.ts'
import { Notify } from '../../concurrency/notify.ts'

/** What a mint worker does next: mint up to `batch` runners, pause, or wait until a runner is queued. */
export type MintStep =
  | { readonly kind: 'mint'; readonly batch: number }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'wait' }

/** The reserved runners of one source that wait for their tokens, and the pace at which the source may be asked. */
export class MintQueue {
  readonly #queue: ReservedRunner[] = []
  readonly #queued = new Notify()
  #window: MintWindow | undefined
  #batchesInFlight = 0
  /** No mint before this time of the monotonic clock: the last one was refused. */
  #pausedUntilMs = 0
  #backoff: Backoff | undefined

  /** Mints are in flight: their tokens are in no store. */
  get isMinting(): boolean {
    return this.#batchesInFlight > 0
  }

  /** The calls made in the source's current rate window; undefined = none yet. */
  get window(): MintWindow | undefined {
    return this.#window
  }

  /** Continues the rate window that the last lease holder noted. */
  resumeWindow(window: MintWindow | undefined): void {
    this.#window = window
  }

  /** Appends a runner. Call `wake` once the whole batch is queued. */
  enqueue(runner: ReservedRunner): void {
    this.#queue.push(runner)
  }

  wake(): void {
    this.#queued.notify()
  }

  /** Resolves on the next `wake`, after `ms`, or when the signal aborts. */
  async waitForRunner(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    await this.#queued.wait(clock, ms, signal)
  }

  next(limits: SourceLimits, clock: Pick<Clock, 'now' | 'monotonicMs'>): MintStep {
    if (this.#queue.length === 0) return { kind: 'wait' }
    const pauseMs = this.#pausedUntilMs - clock.monotonicMs()
    if (pauseMs > 0) return { kind: 'pause', ms: pauseMs }
    const allowance = mintAllowance(limits, this.#window, clock.now())
    return 'waitMs' in allowance
      ? { kind: 'pause', ms: allowance.waitMs }
      : { kind: 'mint', batch: allowance.batch }
  }

  /** Removes and returns the first runner in line and those that share its reservation. Pair with `batchEnded`. */
  takeBatch(max: number): readonly ReservedRunner[] {
    this.#batchesInFlight += 1
    const reservation = this.#queue[0]?.reservation?.id
    const batch: ReservedRunner[] = []
    for (let index = 0; index < this.#queue.length && batch.length < max; ) {
      const runner = this.#queue[index]
      if (runner !== undefined && runner.reservation?.id === reservation) {
        batch.push(runner)
        this.#queue.splice(index, 1)
      } else index += 1
    }
    if (this.#queue.length > 0) this.#queued.notify()
    return batch
  }

  batchEnded(): void {
    this.#batchesInFlight -= 1
  }

  callStarted(limits: SourceLimits, clock: Pick<Clock, 'now'>): void {
    this.#window = countMint(limits, this.#window, clock.now())
  }

  /** Returns runners that the source refused to the head of the line; nothing is minted before `untilMs`. */
  returnBatch(runners: readonly ReservedRunner[], untilMs: number): void {
    this.#queue.unshift(...runners)
    this.#pausedUntilMs = untilMs
  }

  mintSucceeded(): void {
    this.#backoff = undefined
  }

  /** Returns the number of failures in a row if this one began a new pause; null = a pause was in effect already. */
  mintFailed(nowMs: number, unit: number): number | null {
    const before = this.#backoff
    this.#backoff = nextBackoff(before, nowMs, unit)
    return this.#backoff === before ? null : this.#backoff.failures
  }

  /** Most units to reserve now: none while mints fail, and one to try with after each pause. */
  reservationsMax(limits: SourceLimits, nowMs: number): number {
    if (this.#backoff === undefined) return limits.reservationsMax
    return nowMs < this.#backoff.until ? 0 : Math.min(1, limits.reservationsMax)
  }
}
