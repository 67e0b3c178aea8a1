import { join } from 'node:path'
import type { AgentSettings as AgentMainSettings, EngineSettings } from '../../agent/main.ts'
import type { HostId } from '../../core/model/index.ts'
import { demoRunnerProgram } from '../../demo/program.ts'
import { type DockerChoice, dockerSettings, hostSettings, type MachineSettings } from './settings.ts'
import { readVersion } from '../../platform/version.ts'

/** What runs the containers of this machine, as it was found or asked for. */
export type EngineChoice = DockerChoice | { readonly kind: 'process' }

/** The settings of this machine as its agent takes them, without the hub; runners may be plain processes. */
export function agentSettings(
  settings: MachineSettings,
  engine: EngineChoice,
  host: HostId,
): Omit<AgentMainSettings, 'hubUrl' | 'token'> {
  return hostSettings(settings, engineSettings(settings, engine), { host, agentVersion: readVersion() })
}

function engineSettings(settings: MachineSettings, choice: EngineChoice): EngineSettings {
  if (choice.kind === 'docker') return dockerSettings(settings, choice)
  const dir = join(settings.stateDir, 'processes')
  return { kind: 'process', dir, command: demoRunnerProgram(dir) }
}
