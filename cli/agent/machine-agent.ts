import { join } from 'node:path'
import type { AgentSettings as AgentMainSettings, EngineSettings } from '../../agent/main.ts'
import type { HostId } from '../../core/model/index.ts'
import { demoRunnerProgram } from '../../demo/program.ts'
import { type DockerChoice, dockerSettings, hostSettings, type MachineSettings } from './settings.ts'
import { readVersion } from '../../platform/version.ts'

/** The engine that runs this machine's runners, as found or configured. */
export type EngineChoice = DockerChoice | { readonly kind: 'process' }

/** This machine's settings in the form that its agent takes, without the hub; the engine may be plain processes. */
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
