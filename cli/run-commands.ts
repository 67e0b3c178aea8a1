import type { Command } from 'commander'
import type { SandboxFlags } from './commands/sandbox.ts'
import type { StartFlags } from './commands/start.ts'
import { protocolOption, wholeNumber } from './options.ts'
import { runCommand } from './run-command.ts'

const DEMO_JOBS_MAX = 10_000
const SANDBOX_PORT = 7410

const RESTORE = `
Which hub: the one on this machine, by SLIPWAY_STATE_DIR [.slipway].

To restore: stop the hub, delete hub/hub.db-wal and hub/hub.db-shm in its state folder, and replace hub/hub.db with the
copy. Records made after the backup are lost. Agents report again what runs on their hosts.

Example:
  slipway hub backup slipway-backup.db
`

/**
 * The commands that run until they are shut down. Each command's modules are imported when it runs, so that a command
 * starts fast and loads only what it needs.
 */
export async function addRunCommands(program: Command, args: readonly string[]): Promise<void> {
  const helpOn = await openSettingsHelp(args)

  program
    .command('start')
    .description('run everything on this machine: source, hub, agent and containers')
    .option('--demo-jobs <count>', 'queue this many jobs in the sandbox', wholeNumber(0, DEMO_JOBS_MAX))
    .option('--until-idle', 'exit once every job has ended; exit code 0 only if all finished', false)
    .option('--json', 'print a JSON summary to stdout at the end; progress goes to stderr', false)
    .option('-y, --yes', 'install and start Docker Engine without asking', false)
    .addOption(protocolOption())
    .addHelpText('after', helpOn(['SHIPFOX_', 'SLIPWAY_']))
    .action((flags: StartFlags) =>
      runCommand(async (io) => (await import('./commands/start.ts')).startCommand(flags, io)),
    )

  const hub = program
    .command('hub')
    .description('run only the hub; agents connect to it, SHIPFOX_API_URL is the source')
    .addHelpText('after', helpOn(['SHIPFOX_', 'SLIPWAY_']))
    .action(() => runCommand(async (io) => (await import('./commands/hub.ts')).hubCommand(io)))
  addBackup(hub)

  program
    .command('agent')
    .description('run only the agent: it connects to the hub and runs containers on this machine')
    .option('-y, --yes', 'install and start Docker Engine without asking', false)
    .addHelpText('after', helpOn(['SLIPWAY_', 'SHIPFOX_PROVISIONER_DOCKER']))
    .action((flags: { yes: boolean }) =>
      runCommand(async (io) => (await import('./commands/agent.ts')).agentCommand(flags, io)),
    )

  program
    .command('sandbox')
    .description('run only the sandbox source, and print the variables to connect to it')
    .option('--port <port>', 'port to listen on; 0 = any free port', wholeNumber(0, 65_535), SANDBOX_PORT)
    .option('--demo-jobs <count>', 'queue this many jobs', wholeNumber(0, DEMO_JOBS_MAX), 0)
    .addOption(protocolOption())
    .action((flags: SandboxFlags) =>
      runCommand(async (io) => (await import('./commands/sandbox.ts')).sandboxCommand(flags, io)),
    )
}

function addBackup(hub: Command): void {
  hub
    .command('backup')
    .description('copy the state of the hub on this machine to a new file, also while the hub runs')
    .argument('<file>', 'the new file; an existing file is never replaced')
    .option('--json', 'print the answer as JSON', false)
    .addHelpText('after', RESTORE)
    .action((file: string, flags: { json: boolean }) =>
      runCommand(async (io) => (await import('./commands/backup.ts')).backupCommand(file, flags, io)),
    )
}

/** The table of all settings is loaded only when help is requested. */
async function openSettingsHelp(args: readonly string[]): Promise<(prefixes: readonly string[]) => string> {
  if (!args.some((arg) => arg === '--help' || arg === '-h' || arg === 'help')) return () => ''
  return (await import('./commands/help.ts')).settingsHelp
}
