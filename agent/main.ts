import { readFile } from 'node:fs/promises'
import { unreachable, type HostId, type Secret } from '../core/model/index.ts'
import type { Clock, Log, Randomness } from '../core/ports/index.ts'
import type { Engine } from './engines/engine.ts'
import { createDockerEngine, type DockerEngineOptions } from './engines/docker/index.ts'
import { createProcessEngine, type ProcessEngineOptions } from './engines/process/index.ts'
import { createAgent, openInstallationId, type HostCaps, type Retention } from './index.ts'
import { isLoopback } from '../platform/loopback.ts'

type Identity = 'install' | 'host' | 'clock' | 'log'

/** Which engine runs the containers of this host, with the settings of that engine alone. */
export type EngineSettings =
  | ({ readonly kind: 'docker' } & Omit<DockerEngineOptions, Identity>)
  | ({ readonly kind: 'process' } & Omit<ProcessEngineOptions, Identity>)

export interface AgentSettings {
  readonly host: HostId
  /** `ws://` or `wss://`, path included. */
  readonly hubUrl: string
  readonly token: Secret
  readonly dataDir: string
  readonly engine: EngineSettings
  readonly caps: HostCaps
  readonly retention: Retention
  readonly agentVersion: string
}

export interface AgentSurroundings {
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  /** Aborts on a shutdown signal. */
  readonly signal: AbortSignal
}

/** What an agent needs to reach its hub. */
export type HubAccess = Pick<AgentSettings, 'hubUrl' | 'token'>

/** The agent of this machine, not yet running. */
export interface MachineAgent {
  readonly install: string
  /** Runs the containers that are labeled with `install`. */
  readonly engine: Engine
  /** See `Agent.run`. */
  run(hub: HubAccess, signal: AbortSignal): Promise<void>
}

/** Opens the installation in the data folder, and the engine. Throws `data-dir-unusable` or `install-invalid`. */
export async function openAgent(
  settings: Omit<AgentSettings, keyof HubAccess>,
  ports: Omit<AgentSurroundings, 'signal'>,
): Promise<MachineAgent> {
  const { clock, log, random } = ports
  const { dataDir, host } = settings
  const install = await openInstallationId(dataDir, await machineId(), random)
  const engine = openEngine(settings.engine, { install, host, clock, log })
  return {
    install,
    engine,
    run: async (hub, signal) => createAgent({ ...settings, ...ports, ...hub, engine, install }).run(signal),
  }
}

/** Runs the agent of this machine, as `slipway agent` does. See `Agent.run` for its errors. */
export async function runAgent(
  settings: AgentSettings,
  { signal, ...ports }: AgentSurroundings,
): Promise<void> {
  const { host, hubUrl, token } = settings
  const { log } = ports
  warnIfUnencrypted(hubUrl, log)
  const agent = await openAgent(settings, ports)
  log.emit({ name: 'agent.starting', host, install: agent.install, hubUrl, engine: settings.engine.kind })
  await agent.run({ hubUrl, token }, signal)
}

function openEngine(
  settings: EngineSettings,
  identity: { install: string; host: HostId; clock: Clock; log: Log },
): Engine {
  switch (settings.kind) {
    case 'docker':
      return createDockerEngine({ ...settings, ...identity })
    case 'process':
      return createProcessEngine({ ...settings, ...identity })
    default:
      return unreachable(settings)
  }
}

/** Null where the system has none, for example in most containers. */
async function machineId(): Promise<string | null> {
  try {
    const text = (await readFile('/etc/machine-id', 'utf8')).trim()
    return text === '' ? null : text
  } catch {
    // Not every system has one; the installation is then bound to its folder alone.
    return null
  }
}

function warnIfUnencrypted(hubUrl: string, log: Log): void {
  const { protocol, hostname } = new URL(hubUrl)
  if (protocol === 'wss:' || isLoopback(hostname)) return
  log.emit({
    name: 'agent.hub-unencrypted',
    hubUrl,
    advice: 'Tokens are sent unencrypted. Use wss:// unless hub and agent run on one machine.',
  })
}
