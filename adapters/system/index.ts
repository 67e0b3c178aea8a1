import { randomBytes } from 'node:crypto'
import { TIMER_MAX_MS } from '../../core/model/index.ts'
import type { Clock, Randomness } from '../../core/ports/index.ts'

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
