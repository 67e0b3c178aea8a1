import { systemClock, systemRandom } from '../../adapters/system/index.ts'
import { runAgent } from '../../agent/main.ts'
import { parseAgentSettings } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { dockerSettings, hostSettings } from '../agent/settings.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

const NO_PROCESSES =
  'SLIPWAY_ENGINE is "process", but this build of the agent supports only Docker. Unset SLIPWAY_ENGINE, or run `slipway agent` from the sources.'

/**
 * The agent as shipped to hosts: it uses the Docker Engine named in the settings, and waits while that engine does not
 * answer. It never installs or starts an engine. Throws `agent-engine-left-out`.
 */
export async function hostAgentCommand(
  agentVersion: string,
  { env, stdout, shutdown }: Pick<CommandIo, 'env' | 'stdout' | 'shutdown'>,
): Promise<number> {
  const { settings, warnings } = parseAgentSettings(env)
  if (settings.engine === 'process') throw new SlipwayError('agent-engine-left-out', NO_PROCESSES)
  const log = openLog(settings, { stdout })
  for (const text of warnings) log.emit({ name: 'settings.warning', text })
  const { hubUrl, agentToken: token, docker, host } = settings
  const engine = dockerSettings(settings, { kind: 'docker', dockerHost: docker.host, extraHosts: [] })
  const machine = { ...hostSettings(settings, engine, { host: host.name, agentVersion }), hubUrl, token }
  await runAgent(machine, { clock: systemClock, random: systemRandom, log, signal: shutdown })
  return 0
}
