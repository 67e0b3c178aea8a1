import { join } from 'node:path'
import { createAgent, openInstall } from '../agent/index.ts'
import type { AgentSettings } from '../config/index.ts'
import type { HostId, Secret } from '../core/model/index.ts'
import type { Log } from '../core/ports.ts'
import { systemClock, systemRandom } from './clock.ts'
import { machineId } from './machine-id.ts'
import { type EngineChoice, hostCaps, openEngine, readVersion } from './main.ts'
import type { Engine } from '../agent/engine.ts'

export interface LocalAgentParts {
  readonly settings: Pick<AgentSettings, 'stateDir' | 'docker' | 'host'>
  readonly hubUrl: string
  readonly token: Secret
  readonly host: HostId
  readonly install: string
  readonly engine: Engine
  readonly log: Log
}

/** The identity of this machine's agent, which its containers are labelled with. */
export async function openAgentInstall(stateDir: string): Promise<string> {
  return openInstall(join(stateDir, 'agent'), await machineId(), systemRandom)
}

/** Serves a host on this machine until the signal aborts. */
export async function serveHost(parts: LocalAgentParts, signal: AbortSignal): Promise<void> {
  const { settings, hubUrl, token, host, install, engine, log } = parts
  const agent = createAgent({
    host,
    hubUrl,
    token,
    engine,
    install,
    dataDir: join(settings.stateDir, 'agent'),
    caps: hostCaps(settings.host),
    retention: { ms: settings.docker.failedRetentionMs, max: settings.docker.maxRetainedFailed },
    clock: systemClock,
    random: systemRandom,
    log,
    agentVersion: readVersion(),
  })
  await agent.run(signal)
}

/** `slipway agent`: everything from its settings. */
export async function runAgent(run: {
  settings: AgentSettings
  engine: EngineChoice
  log: Log
  shutdown: AbortSignal
}): Promise<void> {
  const { settings, log } = run
  const install = await openAgentInstall(settings.stateDir)
  const host = settings.host.name
  const engine = openEngine(run.engine, settings, { install, host }, log)
  await serveHost(
    { settings, hubUrl: settings.hubUrl, token: settings.agentToken, host, install, engine, log },
    run.shutdown,
  )
}
