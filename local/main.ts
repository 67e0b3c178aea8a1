import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAgentGateway } from '../adapters/api-gateway/index.ts'
import { createDynamoStore, ensureTable } from '../adapters/dynamodb/index.ts'
import { createShipfoxSource } from '../adapters/shipfox/index.ts'
import type { Engine } from '../agent/engine.ts'
import { createDockerEngine } from '../agent/engines/docker/index.ts'
import { createProcessEngine } from '../agent/engines/process/index.ts'
import type { HostSettings, Settings } from '../config/index.ts'
import { type HostId, messageOf, SlipwayError } from '../core/model/index.ts'
import type { DemandSource, Log } from '../core/ports.ts'
import { systemClock } from './clock.ts'
import type { LocalHubOptions } from './hub.ts'
import { demoRunnerProgram } from './demo/program.ts'
import type { SourceAddress } from './start/source.ts'

const TABLE = 'slipway'
/** A demo runner whose job was canceled before it came should not keep the demo waiting. */
const DEMO_RUNNER_WAIT_MS = 30_000

/** The composition root of one machine: the only place here that chooses adapters. */
export const LOCAL_ADAPTERS: LocalHubOptions['adapters'] = {
  async openStore(client) {
    await ensureTable(client, TABLE)
    return createDynamoStore({ client, table: TABLE })
  },
  openAgentGateway: createAgentGateway,
}

export function openDemandSource(settings: Settings, address: SourceAddress, log: Log): DemandSource {
  return createShipfoxSource({
    ...address,
    maxReservations: settings.maxReservations,
    mintBatchMax: settings.mintBatchMax,
    pollWaitSecondsMax: settings.pollWaitSeconds,
    pollIntervalMs: settings.pollIntervalMs,
    pollIntervalMaxMs: settings.pollMaxIntervalMs,
    reportIntervalMs: settings.convergeIntervalMs,
    registrationDeadlineMs: settings.registrationDeadlineMs,
    runnerPollMaxDurationMs:
      settings.source.kind === 'sandbox' ? DEMO_RUNNER_WAIT_MS : settings.runnerPollMaxDurationMs,
    clock: systemClock,
    log,
  })
}

export type EngineChoice =
  | { readonly kind: 'docker'; readonly dockerHost: string | null; readonly extraHosts: readonly string[] }
  | { readonly kind: 'process' }

export function openEngine(
  choice: EngineChoice,
  settings: Pick<Settings, 'docker' | 'stateDir'>,
  identity: { install: string; host: HostId },
  log: Log,
): Engine {
  if (choice.kind === 'process') {
    const dir = join(settings.stateDir, 'processes')
    return createProcessEngine({ dir, ...identity, command: demoRunnerProgram(dir), clock: systemClock, log })
  }
  const { network, extraHosts, logDriver, logOptions, tlsFolder } = settings.docker
  return createDockerEngine({
    dockerHost: choice.dockerHost,
    tls: tlsFolder === null ? null : readTls(tlsFolder),
    ...identity,
    network,
    extraHosts: [...extraHosts, ...choice.extraHosts],
    logDriver,
    logOptions: Object.fromEntries(
      Object.entries(logOptions ?? {}).map(([name, value]) => [name, value.reveal()]),
    ),
    clock: systemClock,
    log,
  })
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

/** What the owner lets this machine give, as the agent takes it. */
export function hostCaps({ cpuMillis, memoryMib, maxRunners }: HostSettings) {
  return {
    ...(cpuMillis === null ? {} : { cpuMillis }),
    ...(memoryMib === null ? {} : { memoryMib }),
    ...(maxRunners === null ? {} : { runners: maxRunners }),
  }
}

/** What names a build to others: the version in package.json. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version }: { version?: unknown } = JSON.parse(text)
  return String(version)
}
