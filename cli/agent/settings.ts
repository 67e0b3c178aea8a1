import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentSettings as AgentMainSettings, EngineSettings } from '../../agent/main.ts'
import type { AgentSettings, HostSettings, Settings } from '../../config/index.ts'
import { type HostId, messageOf, SlipwayError } from '../../core/model/index.ts'

/** A Docker Engine, as found or configured. */
export interface DockerChoice {
  readonly kind: 'docker'
  readonly dockerHost: string | null
  readonly extraHosts: readonly string[]
}

export type MachineSettings = Pick<Settings | AgentSettings, 'stateDir' | 'docker' | 'host'>

/** This machine's settings in the form that its agent takes, without the hub. */
export function hostSettings(
  settings: MachineSettings,
  engine: EngineSettings,
  { host, agentVersion }: { readonly host: HostId; readonly agentVersion: string },
): Omit<AgentMainSettings, 'hubUrl' | 'token'> {
  const { failedRetentionMs, maxRetainedFailed } = settings.docker
  return {
    host,
    dataDir: join(settings.stateDir, 'agent'),
    engine,
    caps: hostCaps(settings.host),
    retention: { ms: failedRetentionMs, max: maxRetainedFailed },
    agentVersion,
  }
}

/** Throws `docker-certificates` when the certificates of a TLS engine can't be read. */
export function dockerSettings(
  { docker }: MachineSettings,
  choice: DockerChoice,
): Extract<EngineSettings, { kind: 'docker' }> {
  const { network, extraHosts, logDriver, logOptions, tlsFolder } = docker
  return {
    kind: 'docker',
    dockerHost: choice.dockerHost,
    tls: tlsFolder === null ? null : readTls(tlsFolder),
    network,
    extraHosts: [...extraHosts, ...choice.extraHosts],
    logDriver,
    logOptions: Object.fromEntries(
      Object.entries(logOptions ?? {}).map(([name, value]) => [name, value.reveal()]),
    ),
  }
}

function readTls(folder: string): { ca: string; cert: string; key: string } {
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8')
    } catch (cause) {
      const what = `DOCKER_TLS_VERIFY is set, but ${join(folder, name)} can't be read: ${messageOf(cause)}. Check DOCKER_CERT_PATH.`
      throw new SlipwayError('docker-certificates', what, { cause })
    }
  }
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
}

/** The caps that the owner set for this machine; a cap that is null is left out. */
function hostCaps({ cpuMillis, memoryMib, maxRunners }: HostSettings) {
  return {
    ...(cpuMillis === null ? {} : { cpuMillis }),
    ...(memoryMib === null ? {} : { memoryMib }),
    ...(maxRunners === null ? {} : { runners: maxRunners }),
  }
}
