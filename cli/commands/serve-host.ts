import { systemClock, systemRandom } from '../../adapters/system/index.ts'
import { type EngineSettings, runAgent } from '../../agent/main.ts'
import { type AgentSettings, parseAgentSettings } from '../../config/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { hostSettings } from '../agent/settings.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

/** Runs the agent that the environment describes, on the engine that `chooseSettings` picks, until it is shut down. */
export async function serveHost(
  { env, stdout, shutdown }: Pick<CommandIo, 'env' | 'stdout' | 'shutdown'>,
  agentVersion: string,
  chooseSettings: (settings: AgentSettings, log: Log) => Promise<EngineSettings>,
): Promise<number> {
  const { settings, warnings } = parseAgentSettings(env)
  const log = openLog(settings, { stdout })
  for (const text of warnings) log.emit({ name: 'settings.warning', text })
  const { hubUrl, agentToken: token, host } = settings
  const engine = await chooseSettings(settings, log)
  const machine = { ...hostSettings(settings, engine, { host: host.name, agentVersion }), hubUrl, token }
  await runAgent(machine, { clock: systemClock, random: systemRandom, log, signal: shutdown })
  return 0
}
