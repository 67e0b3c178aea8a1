/** `slipway-agent.mjs`: the agent in one file, for a host with only Node and Docker. */
import { parseArgs } from 'node:util'
import { hostAgentCommand } from '../../cli/commands/host-agent.ts'
import { settingsHelp } from '../../cli/commands/help.ts'
import { describeFailure } from '../../cli/commands/io.ts'
import { handleShutdown } from '../../cli/shutdown-signals.ts'
import { runSmall } from './run-small.ts'

/** Defined by the bundler. */
declare const SLIPWAY_VERSION: string

/** The first version with all built-in functions that the agent uses. */
const NODE_MAJOR_MIN = 22

const HELP = `Usage: node slipway-agent.mjs [--help] [--version]

The Slipway agent of one host: it connects to the hub and runs containers on this machine's Docker Engine.
SIGTERM stops it; running jobs continue, and the agent takes care of them again after its next start.
${settingsHelp(['SLIPWAY_', 'SHIPFOX_PROVISIONER_DOCKER', 'DOCKER_'])}`

process.exitCode = await main()

async function main(): Promise<number> {
  const asked = readArguments()
  if (asked === null) return 1
  if (asked.help || asked.version) {
    process.stdout.write(asked.help ? HELP : `${SLIPWAY_VERSION}\n`)
    return 0
  }
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    console.error(
      `slipway-agent: This is Node ${process.versions.node}. Install Node ${NODE_MAJOR_MIN} or newer.`,
    )
    return 1
  }
  runSmall(process)
  const { env, stdout } = process
  return handleShutdown((shutdown) => hostAgentCommand(SLIPWAY_VERSION, { env, stdout, shutdown })).catch(
    (thrown: unknown) => {
      console.error(`slipway-agent: ${describeFailure(thrown)}`)
      return 1
    },
  )
}

function readArguments(): { readonly help: boolean; readonly version: boolean } | null {
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({ options: { help: { ...flag, short: 'h' }, version: { ...flag, short: 'V' } } }).values
  } catch (thrown) {
    console.error(`slipway-agent: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    console.error('(add --help for help)')
    return null
  }
}
