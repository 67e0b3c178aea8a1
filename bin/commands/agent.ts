import type { Command } from 'commander'
import { parseAgentSettings } from '../../config/index.ts'
import { runAgent } from '../../local/agent.ts'
import { createLog, jsonLine, textLine } from '../../local/log.ts'
import { chooseEngine } from './engine.ts'
import { settingsHelp } from './options.ts'
import { runCommand } from './run.ts'

export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('run the agent alone: it dials the hub and drives this machine')
    .option('-y, --yes', 'install and start Docker Engine without asking', false)
    .addHelpText('after', settingsHelp(['SLIPWAY_', 'SHIPFOX_PROVISIONER_DOCKER']))
    .action((flags: { yes: boolean }) => runCommand((shutdown) => runAlone(flags.yes, shutdown)))
}

async function runAlone(assumeYes: boolean, shutdown: AbortSignal): Promise<number> {
  const { settings, warnings } = parseAgentSettings(process.env)
  const line = settings.log === 'json' ? jsonLine : textLine
  const log = createLog((entry) => process.stdout.write(`${line(entry)}\n`))
  for (const message of warnings) log.warn('settings.warning', { message })
  const say = (message: string): void => log.info('agent.starting', { message })
  const engine = await chooseEngine({ engine: settings.engine ?? 'docker', source: null }, { assumeYes, say })
  await runAgent({ settings, engine, log, shutdown })
  return 0
}
