import type { Clock } from '../../core/ports/index.ts'

/** Real time, `speed` times as fast, with a wall clock that can be made to jump. */
export class FastClock implements Clock {
  readonly speed: number
  jumpMs = 0
  readonly #bornAt = Date.now()

  constructor(speed: number) {
    this.speed = speed
  }

  now(): number {
    return this.#bornAt + this.monotonicMs() + this.jumpMs
  }

  monotonicMs(): number {
    return (Date.now() - this.#bornAt) * this.speed
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms / this.speed)
      signal?.addEventListener('abort', done, { once: true })
    })
  }
}
