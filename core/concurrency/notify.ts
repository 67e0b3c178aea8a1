import type { Clock } from '../ports/clock.ts'

/** A pause that can be cut short. A wake that comes while nobody waits cuts the next pause. */
export interface Wakeup {
  wake(): void
  /** Resolves after `ms`, on a wake, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function createWakeup(clock: Clock): Wakeup {
  let awake = new AbortController()
  return {
    wake: () => awake.abort(),
    async wait(ms, signal) {
      await clock.sleep(ms, AbortSignal.any([awake.signal, signal]))
      if (awake.signal.aborted) awake = new AbortController()
    },
  }
}

/** Resolves once the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
