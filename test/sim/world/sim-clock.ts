import type { Clock, Randomness } from '../../../core/ports/index.ts'

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly wake: () => void
}

/** Virtual time: it moves to the next timer once nothing else can run. The same program takes the same course. */
export class SimClock implements Clock {
  #nowMs = 0
  #order = 0
  #timers: Timer[] = []
  /** Where the wall clock starts; the two run alike. */
  readonly epochMs = 1_700_000_000_000
  readonly #settled: () => Promise<void>

  /** `settled` resolves once everything has gone on that can without time passing. */
  constructor(settled: () => Promise<void> = settle) {
    this.#settled = settled
  }

  now(): number {
    return this.epochMs + Math.floor(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer: Timer = {
        atMs: this.#nowMs + ms,
        order: this.#order++,
        wake: () => {
          signal?.removeEventListener('abort', wake)
          resolve()
        },
      }
      const wake = (): void => {
        this.#timers = this.#timers.filter((other) => other !== timer)
        timer.wake()
      }
      signal?.addEventListener('abort', wake, { once: true })
      this.#timers.push(timer)
    })
  }

  /** Lets time pass until `done`; throws when it is not done within `limitMs` of virtual time. */
  async runUntil(done: () => boolean, limitMs: number, what: () => string = () => ''): Promise<void> {
    const endMs = this.#nowMs + limitMs
    for (;;) {
      await this.#settled()
      if (done()) return
      const next = this.#timers.toSorted(
        (left, right) => left.atMs - right.atMs || left.order - right.order,
      )[0]
      if (next === undefined || next.atMs > endMs) throw new Error(`Not done after ${limitMs} ms. ${what()}`)
      this.#nowMs = next.atMs
      this.#timers = this.#timers.filter((timer) => timer !== next)
      next.wake()
    }
  }

  async run(forMs: number): Promise<void> {
    const endMs = this.#nowMs + forMs
    const bell = this.sleep(forMs)
    let over = false
    void bell.then(() => (over = true))
    await this.runUntil(() => over && this.#nowMs >= endMs, forMs + 1)
  }
}

/** Lets everything run that needs no time to pass. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A small generator with a seed (mulberry32): the same seed gives the same numbers. */
export class SimRandom implements Randomness {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.unit() * 256))
  }
}
