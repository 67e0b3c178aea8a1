/** By convention 128 plus the signal number. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof SIGNAL_CODES
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** The same signal may arrive twice, for example from the terminal and from npm: within this time it counts once. */
const SAME_REQUEST_MS = 500
/** Abandoned work may keep the process alive after `work` has ended: the process exits after this time. */
const LINGER_MAX_MS = 1_000

/** Runs `work` with shutdown signals handled: the first aborts `shutdown`, a second one exits the process. */
export async function handleShutdown<T>(work: (shutdown: AbortSignal) => Promise<T>): Promise<T> {
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
