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
