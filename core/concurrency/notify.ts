import type { Clock } from '../ports/clock.ts'

/** Wakes everyone who waits on it. A notification while nobody waits is kept for the next wait. */
export class Notify {
  #kept = false
  readonly #waiting = new Set<AbortController>()

  notify(): void {
    this.#kept = this.#waiting.size === 0
    for (const waiter of this.#waiting) waiter.abort()
  }

  /** Resolves when notified, after `ms`, or when the signal aborts; true when it was notified. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#kept || ms <= 0 || signal.aborted) {
      const kept = this.#kept
      this.#kept = false
      return kept
    }
    const woken = new AbortController()
    this.#waiting.add(woken)
    await clock.sleep(ms, AbortSignal.any([signal, woken.signal]))
    this.#waiting.delete(woken)
    return woken.signal.aborted
  }
}
