import { type CommandIo, describeFailure } from './commands/io.ts'
import { askOnTerminal } from './setup/ask.ts'
import { endLike } from '../platform/bootstrap/child.mjs'
import { BootstrapError } from '../platform/bootstrap/errors.mjs'
import { handleShutdown } from './shutdown-signals.ts'

/** Runs a command and sets the exit code. The first shutdown signal aborts `shutdown`, a second one exits at once. */
export async function runCommand(command: (io: CommandIo) => Promise<number>): Promise<void> {
  await handleShutdown(async (shutdown) => {
    try {
      process.exitCode = await command(ioOf(shutdown))
    } catch (thrown) {
      if (thrown instanceof BootstrapError && thrown.signal) endLike({ code: null, signal: thrown.signal })
      process.exitCode = 1
      console.error(`slipway: ${describeFailure(thrown)}`)
    }
  })
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
      const { ensureDocker } = await import('./setup/docker.ts')
      return ensureDocker({ env, isTTY, ask: askOnTerminal, print: say, assumeYes })
    },
  }
}
