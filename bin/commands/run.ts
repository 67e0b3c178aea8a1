import { messageOf, SlipwayError } from '../../core/model/index.ts'

/** Conventional: 128 and the number of the signal. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
/** One Ctrl+C may reach us twice, from the terminal and from npm: two that are this close are one. */
const SAME_PRESS_MS = 400

/** Runs a command to its exit code. The first shutdown signal aborts `shutdown`, a second one ends the process. */
export async function runCommand(work: (shutdown: AbortSignal) => Promise<number>): Promise<void> {
  const shutdown = new AbortController()
  let firstAt = 0
  const take = (signal: keyof typeof SIGNAL_CODES): void => {
    const isEcho = signal === 'SIGINT' && performance.now() - firstAt < SAME_PRESS_MS
    if (shutdown.signal.aborted && !isEcho) process.exit(SIGNAL_CODES[signal])
    if (!shutdown.signal.aborted) {
      firstAt = performance.now()
      shutdown.abort()
    }
  }
  for (const signal of Object.keys(SIGNAL_CODES)) process.on(signal, take)
  try {
    process.exitCode = await work(shutdown.signal)
  } catch (thrown) {
    process.exitCode = 1
    console.error(`slipway: ${describe(thrown)}`)
  } finally {
    for (const signal of Object.keys(SIGNAL_CODES)) process.off(signal, take)
  }
}

/** What was thrown on purpose speaks for itself; anything else is a bug, and its place matters. */
function describe(thrown: unknown): string {
  if (thrown instanceof SlipwayError || (thrown instanceof Error && thrown.name === 'SourceError'))
    return thrown.message
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)
}
