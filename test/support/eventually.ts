/**
 * How long a test waits for what must happen: long enough for a machine whose processor others use as well. A test
 * ends as soon as it has seen what it waits for, so a generous bound costs nothing where all is well.
 */
export const PATIENCE_MS = 120_000

/** Looks at the test's own memory cost nothing; those that ask another process or the disk are promises. */
const LOOK_MS = { here: 5, elsewhere: 25 }

export type Look<T> = () => Found<T> | Promise<Found<T>>
type Found<T> = T | null | undefined | false

/**
 * Waits until `look` gives something other than null, undefined or false, and resolves with it. Throws what it waited
 * for when that never comes, and the signal's reason when the signal aborts.
 */
export async function eventually<T>(
  what: string,
  look: Look<T>,
  { withinMs = PATIENCE_MS, signal }: { withinMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    signal?.throwIfAborted()
    const answer = look()
    const found = await answer
    if (found !== null && found !== undefined && found !== false) return found
    if (performance.now() > deadlineMs) throw new Error(`Not within ${withinMs} ms: ${what}`)
    await pause(answer instanceof Promise ? LOOK_MS.elsewhere : LOOK_MS.here, signal)
  }
}

/** Throws the signal's reason when it aborts. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      const reason: unknown = signal?.reason
      reject(reason instanceof Error ? reason : new Error(String(reason)))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
