import { parseAgentSettings } from '../../config/index.ts'
import { runAgent } from '../agent.ts'
import { chooseEngine } from './engine.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

/** `slipway agent`: serves its host until it is shut down; running jobs go on without it. */
export async function agentCommand(flags: { yes: boolean }, io: CommandIo): Promise<number> {
  const { settings, warnings } = parseAgentSettings(io.env)
  const log = openLog(settings, io)
  for (const message of warnings) log.warn('settings.warning', { message })
  const say = (message: string): void => log.info('agent.preparing', { message })
  const engine = await chooseEngine(io, settings.engine, { isDemo: false, assumeYes: flags.yes, say })
  await runAgent({ settings, engine, log, shutdown: io.shutdown })
  return 0
}
