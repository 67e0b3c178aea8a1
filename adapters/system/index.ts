import { randomBytes } from 'node:crypto'
import type { Clock, Randomness } from '../../core/ports/index.ts'

/** Node fires timers with a longer delay at once. */
const TIMER_MAX_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true || ms <= 0) {
        resolve()
        return
      }
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.min(ms, TIMER_MAX_MS))
      signal?.addEventListener('abort', wake, { once: true })
    }),
}

export const systemRandom: Randomness = {
  unit: () => Math.random(),
  bytes: (count) => new Uint8Array(randomBytes(count)),
}
