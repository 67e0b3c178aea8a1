/** Conventional: 128 and the number of the signal. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof SIGNAL_CODES
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** One request may reach us twice, from a terminal or a service manager and from npm: two that are this close are one. */
const SAME_REQUEST_MS = 500
/** Whatever was given up on may still hold the process when the work is over: it may do so for this long. */
const LINGER_MAX_MS = 1_000

/** Runs `work` while shutdown signals are heard: the first one aborts `shutdown`, a second one ends the process. */
export async function hearShutdown<T>(work: (shutdown: AbortSignal) => Promise<T>): Promise<T> {
  const shutdown = new AbortController()
  let first: { readonly signal: Signal; readonly atMs: number } | null = null
  const take = (signal: Signal): void => {
    if (first === null) {
      first = { signal, atMs: performance.now() }
      shutdown.abort()
      return
    }
    const isEcho = signal === first.signal && performance.now() - first.atMs < SAME_REQUEST_MS
    if (!isEcho) process.exit(SIGNAL_CODES[signal])
  }
  for (const signal of SIGNALS) process.on(signal, take)
  try {
    return await work(shutdown.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, take)
    if (shutdown.signal.aborted) setTimeout(() => process.exit(), LINGER_MAX_MS).unref()
  }
}
