import { parseAgentSettings } from '../../config/index.ts'
import { runAgent } from '../../agent/main.ts'
import { agentSettings } from '../agent/machine-agent.ts'
import { systemClock, systemRandom } from '../../adapters/system/index.ts'
import { chooseEngine } from './engine.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

/** `slipway agent`: runs until it is shut down; running jobs continue after it exits. */
export async function agentCommand(flags: { yes: boolean }, io: CommandIo): Promise<number> {
  const { settings, warnings } = parseAgentSettings(io.env)
  const log = openLog(settings, io)
  for (const text of warnings) log.emit({ name: 'settings.warning', text })
  const say = (text: string): void => log.emit({ name: 'agent.preparing', text })
  const engine = await chooseEngine(io, settings.engine, { isDemo: false, assumeYes: flags.yes, say })
  const { hubUrl, agentToken: token } = settings
  const machine = { ...agentSettings(settings, engine, settings.host.name), hubUrl, token }
  await runAgent(machine, { clock: systemClock, random: systemRandom, log, signal: io.shutdown })
  return 0
}
