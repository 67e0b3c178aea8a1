import { type CommandIo, describeFailure } from '../local/commands/io.ts'
import { askOnTerminal } from './bootstrap/ask.ts'
import { endLike } from './bootstrap/child.mjs'
import { BootstrapError } from './bootstrap/errors.mjs'

/** Conventional: 128 and the number of the signal. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof SIGNAL_CODES
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** One Ctrl+C may reach us twice, from the terminal and from npm: two that are this close are one. */
const SAME_PRESS_MS = 500

/** Runs a command to its exit code. The first shutdown signal aborts `shutdown`, a second one ends the process. */
export async function runCommand(command: (io: CommandIo) => Promise<number>): Promise<void> {
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
    process.exitCode = await command(ioOf(shutdown.signal))
  } catch (thrown) {
    if (thrown instanceof BootstrapError && thrown.signal) endLike({ code: null, signal: thrown.signal })
    process.exitCode = 1
    console.error(`slipway: ${describeFailure(thrown)}`)
  } finally {
    for (const signal of SIGNALS) process.off(signal, take)
  }
}

function ioOf(shutdown: AbortSignal): CommandIo {
  const { env, stdout, stderr, stdin } = process
  const isTTY = stdin.isTTY && stderr.isTTY
  return {
    env,
    stdout,
    stderr,
    stdin,
    confirm: isTTY ? askOnTerminal : null,
    shutdown,
    async findDocker({ assumeYes, say }) {
      const { ensureDocker } = await import('./bootstrap/docker.ts')
      return ensureDocker({ env, isTTY, ask: askOnTerminal, print: say, assumeYes })
    },
  }
}
