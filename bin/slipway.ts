import { Command } from 'commander'
import { agentCommand } from '../local/commands/agent.ts'
import { settingsHelp } from '../local/commands/help.ts'
import { hubCommand } from '../local/commands/hub.ts'
import { type SandboxFlags, sandboxCommand } from '../local/commands/sandbox.ts'
import { type StartFlags, startCommand } from '../local/commands/start.ts'
import { validateCommand } from '../local/commands/templates.ts'
import { readVersion } from '../local/main.ts'
import { protocolOption, wholeNumber } from './options.ts'
import { runCommand } from './run.ts'

const DEMO_JOBS_MAX = 10_000
const SANDBOX_PORT = 7410

const program = new Command('slipway')
  .description('One throw-away container per waiting CI job, on Docker hosts that you own.')
  .version(readVersion())
  .showHelpAfterError('(add --help for help)')

program
  .command('start')
  .description('run everything on this machine: source, hub, agent and containers')
  .option('--demo-jobs <count>', 'queue this many jobs in the sandbox', wholeNumber(0, DEMO_JOBS_MAX))
  .option('--until-idle', 'exit once every job has ended; 0 only if each one finished', false)
  .option('--json', 'print a summary as JSON in the last line; progress goes to stderr', false)
  .option('-y, --yes', 'install and start Docker Engine without asking', false)
  .addOption(protocolOption())
  .addHelpText('after', settingsHelp(['SHIPFOX_', 'SLIPWAY_']))
  .action((flags: StartFlags) => runCommand((io) => startCommand(flags, io)))

program
  .command('hub')
  .description('run the hub alone; agents dial in, SHIPFOX_API_URL names the source')
  .addHelpText('after', settingsHelp(['SHIPFOX_', 'SLIPWAY_']))
  .action(() => runCommand(hubCommand))

program
  .command('agent')
  .description('run the agent alone: it dials the hub and drives this machine')
  .option('-y, --yes', 'install and start Docker Engine without asking', false)
  .addHelpText('after', settingsHelp(['SLIPWAY_', 'SHIPFOX_PROVISIONER_DOCKER']))
  .action((flags: { yes: boolean }) => runCommand((io) => agentCommand(flags, io)))

program
  .command('sandbox')
  .description('run the sandbox source alone, and print how to reach it')
  .option('--port <port>', 'port to listen on; 0 = any', wholeNumber(0, 65_535), SANDBOX_PORT)
  .option('--demo-jobs <count>', 'queue this many jobs', wholeNumber(0, DEMO_JOBS_MAX), 0)
  .addOption(protocolOption())
  .action((flags: SandboxFlags) => runCommand((io) => sandboxCommand(flags, io)))

program
  .command('templates')
  .description('work with templates files')
  .command('validate')
  .description('check a templates file and print what it expands to')
  .argument('<file>', 'a templates file (YAML)')
  .option('--json', 'print the templates as JSON', false)
  .action((file: string, flags: { json: boolean }) => runCommand((io) => validateCommand(file, flags, io)))

await program.parseAsync()
