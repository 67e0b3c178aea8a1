/** Runs one piece of work once a lane is free. */
export type Limiter = <T>(work: () => Promise<T>) => Promise<T>

/** At most `lanes` at a time, first come first served. */
export function createLimiter(lanes: number): Limiter {
  const waiting: (() => void)[] = []
  let free = lanes

  async function takeLane(): Promise<void> {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }

  function giveLane(): void {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }

  return async (work) => {
    await takeLane()
    try {
      return await work()
    } finally {
      giveLane()
    }
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
