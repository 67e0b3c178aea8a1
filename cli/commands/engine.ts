import type { Settings } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import type { EngineChoice } from '../agent/engine-settings.ts'
import type { CommandIo } from './io.ts'

/**
 * The configured engine; otherwise Docker, started if necessary. Only the sandbox demo falls back to plain processes:
 * they isolate nothing, so with a real source they must be configured explicitly.
 */
export async function chooseEngine(
  { findDocker }: Pick<CommandIo, 'findDocker'>,
  chosen: Settings['engine'],
  options: { isDemo: boolean; assumeYes: boolean; say: (line: string) => void },
): Promise<EngineChoice> {
  if (chosen === 'process') return { kind: 'process' }
  const docker = await findDocker(options)
  if (docker.state === 'ready') return { kind: 'docker', dockerHost: docker.host, extraHosts: [] }
  const missing = `No Docker Engine can be used: ${docker.reason} ${docker.howTo}`
  if (!options.isDemo || chosen === 'docker') throw new SlipwayError('docker-unavailable', missing)
  options.say(missing)
  options.say('The demo runs its jobs as plain processes instead, without any isolation.')
  return { kind: 'process' }
}
