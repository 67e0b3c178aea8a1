import { SlipwayError } from '../../core/model/index.ts'
import { dockerSettings } from '../agent/settings.ts'
import type { CommandIo } from './io.ts'
import { serveHost } from './serve-host.ts'

const NO_PROCESSES =
  'SLIPWAY_ENGINE is "process", but this build of the agent supports only Docker. Unset SLIPWAY_ENGINE, or run `slipway agent` from the sources.'

/**
 * The agent as shipped to hosts: it uses the Docker Engine named in the settings, and waits while that engine does not
 * answer. It never installs or starts an engine. Throws `agent-engine-left-out`.
 */
export async function hostAgentCommand(
  agentVersion: string,
  io: Pick<CommandIo, 'env' | 'stdout' | 'shutdown'>,
): Promise<number> {
  return serveHost(io, agentVersion, async (settings) => {
    if (settings.engine === 'process') throw new SlipwayError('agent-engine-left-out', NO_PROCESSES)
    return dockerSettings(settings, { kind: 'docker', dockerHost: settings.docker.host, extraHosts: [] })
  })
}
