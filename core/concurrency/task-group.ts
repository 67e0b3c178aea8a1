import type { Clock } from '../ports/clock.ts'

/** Wakes everybody who waits on it. A ring with nobody waiting is kept for the next wait. */
export class Bell {
  #kept = false
  readonly #waiting = new Set<AbortController>()

  ring(): void {
    this.#kept = this.#waiting.size === 0
    for (const waiter of this.#waiting) waiter.abort()
  }

  /** Resolves at a ring, after `ms`, or when the signal aborts; true when it was a ring. */
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

/** Resolves when the signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true })
  })
}

/** Runs one piece of work with a signal that aborts with `signal`, or after `ms`. No timer outlives the work. */
export async function withinTime<T>(
  { clock, ms, signal }: { clock: Clock; ms: number; signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const late = new AbortController()
  const timer = abortAfter(clock, ms, { late, done: done.signal })
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } finally {
    done.abort()
    await timer
  }
}

async function abortAfter(
  clock: Clock,
  ms: number,
  { late, done }: { late: AbortController; done: AbortSignal },
): Promise<void> {
  await clock.sleep(ms, done)
  if (!done.aborted) late.abort()
}

/**
 * Runs tasks side by side. The first one that throws aborts the others, and `settled` throws what it threw: no
 * promise floats, and no failure is lost.
 */
export class TaskGroup {
  readonly #controller = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly thrown: unknown } | null = null

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  run(task: Promise<void>): void {
    const guarded = task
      .catch((thrown: unknown) => {
        this.#failure ??= { thrown }
        this.#controller.abort(thrown)
      })
      .finally(() => this.#running.delete(guarded))
    this.#running.add(guarded)
  }

  stop(): void {
    this.#controller.abort()
  }

  /** Resolves when every task has ended, those included that were added meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    if (this.#failure !== null) throw this.#failure.thrown
  }
}

/** `work` on every item, at most `limit` at a time; stops taking new ones at the first failure, and throws it. */
export async function forEachLimited<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  let failed = false
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && !failed; next = rest.next()) {
      try {
        await work(next.value)
      } catch (thrown) {
        failed = true
        throw thrown
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: limit }, worker))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** State writes side by side: enough to hide latency, few enough to keep the table's burst small. */
export const WRITES_AT_ONCE = 16
