import type { Clock } from '../ports/clock.ts'

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
