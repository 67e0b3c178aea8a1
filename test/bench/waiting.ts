const LOOK_MS = 20

/** Polls until `look` gives something; throws what it waited for when it never does, or when the signal aborts. */
export async function until<T>(
  what: string,
  options: { readonly withinMs: number; readonly signal: AbortSignal },
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const deadlineMs = performance.now() + options.withinMs
  for (;;) {
    options.signal.throwIfAborted()
    const found = await look()
    if (found !== null && found !== undefined && found !== false) return found
    if (performance.now() > deadlineMs) throw new Error(`Not within ${options.withinMs} ms: ${what}.`)
    await pause(LOOK_MS, options.signal)
  }
}

/** Throws the signal's reason when it aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}

/** A moment that no pace of polls lines up with. */
export async function randomPause(minMs: number, maxMs: number, signal: AbortSignal): Promise<void> {
  await pause(minMs + Math.random() * (maxMs - minMs), signal)
}

/** `work` on every item, a few at a time, in order. */
export async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
