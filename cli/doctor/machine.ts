import { lookInRegistry } from '../../agent/engines/docker/registry.ts'
import { createDockerEngine } from '../../agent/engines/docker/index.ts'
import { measureDisk, shortageOf } from '../../agent/host/disk.ts'
import type { Engine, EngineFacts } from '../../agent/engines/engine.ts'
import { systemClock } from '../../adapters/system/index.ts'
import { ConfigError, type Env, parseSettings, type Settings } from '../../config/index.ts'
import { messageOf } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { dockerSettings } from '../agent/settings.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** The engine of this machine; it answered. */
export interface FoundEngine {
  readonly facts: EngineFacts
  has(image: string): Promise<boolean>
  /** Null = the image can be pulled. */
  whyNotPullable(image: string): Promise<string | null>
}

/** The settings of this machine; the defaults if they are invalid. */
export function examineSettings(env: Env): { settings: Settings; findings: readonly Finding[] } {
  try {
    const { settings, warnings } = parseSettings(env, { mayStoreTemplates: true })
    return {
      settings,
      findings: warnings.map((text) =>
        warn('settings', text, '`slipway start --help` lists every variable.'),
      ),
    }
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    const findings = thrown.message.split('\n').map((text) => fail('settings', text, 'Correct the variable.'))
    return { settings: parseSettings({}).settings, findings }
  }
}

/** `needed`: whether this machine must run containers itself. */
export async function examineDocker(
  settings: Settings,
  needed: boolean,
): Promise<{ engine: FoundEngine | null; findings: readonly Finding[] }> {
  const { engine: chosen, docker } = settings
  if (chosen === 'process')
    return {
      engine: null,
      findings: [
        warn(
          'docker',
          'jobs run as plain processes (SLIPWAY_ENGINE=process)',
          'Unset it outside of tests: processes are not isolated.',
        ),
      ],
    }
  try {
    const engine = await openEngine(settings)
    const { version, capacity, isolations } = engine.facts
    const size = `${capacity.cpuMillis / 1000} vCPU, ${capacity.memoryMib} MiB`
    return {
      engine,
      findings: [ok('docker', `Docker ${version} is running: ${size}, ${isolations.join(' and ')}`)],
    }
  } catch (thrown) {
    const text = `no Docker Engine answers on ${docker.host}: ${messageOf(thrown)}`
    const todo = 'Start Docker, give this user access to it, or set SHIPFOX_PROVISIONER_DOCKER_HOST.'
    const finding = needed
      ? fail('docker', text, todo)
      : warn('docker', text, `Only needed if this machine is a host. Then: ${todo}`)
    return { engine: null, findings: [finding] }
  }
}

/** Used read-only: doctor creates and changes nothing. */
async function openEngine(settings: Settings): Promise<FoundEngine> {
  const { host, docker } = settings
  const choice = { kind: 'docker', dockerHost: docker.host, extraHosts: [] } as const
  const options = dockerSettings(settings, choice)
  const identity = { install: 'doctor', host: host.name, clock: systemClock, log: SILENT }
  const engine: Engine = createDockerEngine({ ...options, ...identity })
  const { dockerHost, tls = null } = options
  return {
    facts: await engine.describe(),
    has: async (image) => (await engine.image(image)) !== null,
    whyNotPullable: (image) => lookInRegistry({ dockerHost, tls, clock: systemClock }, image),
  }
}

const SILENT: Log = { emit() {} }

/** The disk of the engine's containers if it is on this machine; else the disk of the hub's state. */
export async function examineDisk(settings: Settings, engine: FoundEngine | null): Promise<Finding> {
  const storage = engine?.facts.storage ?? null
  const folder = storage ?? '.'
  const room = await measureDisk(folder)
  if (room === null)
    return warn('disk', `the free space of ${folder} can't be measured`, 'Check it with df -h.')
  const shortage = shortageOf(room)
  if (shortage === null) {
    return ok('disk', `${gib(room.freeBytes)} of ${gib(room.bytes)} GiB are free on the disk of ${folder}`)
  }
  return fail(
    'disk',
    `the disk of ${folder} ${shortage}`,
    storage === null
      ? `Free some space: ${settings.stateDir} is on this disk.`
      : 'Free some space: docker system df shows what uses it.',
  )
}

function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1)
}
