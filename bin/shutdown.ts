/** Conventional: 128 and the number of the signal. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof SIGNAL_CODES
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** One Ctrl+C may reach us twice, from the terminal and from npm: two that are this close are one. */
const SAME_PRESS_MS = 500

/** Runs `work` while shutdown signals are heard: the first one aborts `shutdown`, a second one ends the process. */
export async function hearShutdown<T>(work: (shutdown: AbortSignal) => Promise<T>): Promise<T> {
  const shutdown = new AbortController()
  let firstAtMs = 0
  const take = (signal: Signal): void => {
    const isEcho = signal === 'SIGINT' && performance.now() - firstAtMs < SAME_PRESS_MS
    if (shutdown.signal.aborted && !isEcho) process.exit(SIGNAL_CODES[signal])
    if (shutdown.signal.aborted) return
    firstAtMs = performance.now()
    shutdown.abort()
  }
  for (const signal of SIGNALS) process.on(signal, take)
  try {
    return await work(shutdown.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, take)
  }
}
