import { join } from 'node:path'
import type { EngineSettings } from '../../agent/main.ts'
import { demoRunnerProgram } from '../../demo/program.ts'
import { type DockerChoice, dockerSettings, type MachineSettings } from './settings.ts'

/** What runs the containers of this machine, as it was found or asked for. */
export type EngineChoice = DockerChoice | { readonly kind: 'process' }

/** The settings of the chosen engine; its runners may be plain processes. Throws `docker-certificates`. */
export function engineSettings(settings: MachineSettings, choice: EngineChoice): EngineSettings {
  if (choice.kind === 'docker') return dockerSettings(settings, choice)
  const dir = join(settings.stateDir, 'processes')
  return { kind: 'process', dir, command: demoRunnerProgram(dir) }
}
