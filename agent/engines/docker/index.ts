import type { HostId } from '../../../core/model/index.ts'
import type { Clock, Log } from '../../../core/ports/index.ts'
import type { Engine } from '../engine.ts'
import { localAddress, parseDockerHost, type EngineTls } from './connection.ts'
import { assertNetwork } from './container-spec.ts'
import { DockerEngine } from './engine.ts'

export { containerSpec, type ContainerOptions } from './container-spec.ts'

export interface DockerEngineOptions {
  /** `unix://`, `tcp://` or `ssh://` (through the machine's own ssh); null = the local socket. */
  readonly dockerHost: string | null
  /** For `tcp://` with TLS. */
  readonly tls?: EngineTls | null
  readonly install: string
  readonly host: HostId
  /** The network that runners join; null = the engine's default bridge. */
  readonly network: string | null
  /** `name:address` each; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[]
  /** Null = the engine's default driver. */
  readonly logDriver: string | null
  readonly logOptions: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly log: Log
  /** Bound of one call; stops have their grace on top, pulls a bound of their own. */
  readonly callTimeoutMs?: number
}

/** Longer than a create takes on an overloaded disk; a call without an answer by then counts as lost. */
const CALL_TIMEOUT_MS = 30_000

/**
 * The engine port on a Docker Engine (API 1.40 or newer). Makes no call by itself. Throws `docker-host-invalid` and
 * `docker-network-refused`.
 */
export function createDockerEngine(options: DockerEngineOptions): Engine {
  const { dockerHost, clock, log, callTimeoutMs = CALL_TIMEOUT_MS } = options
  const { install, host, network, extraHosts, logDriver, logOptions } = options
  assertNetwork(network)
  const address = dockerHost === null ? localAddress() : parseDockerHost(dockerHost)
  return new DockerEngine({
    session: { address, tls: options.tls ?? null, clock, callTimeoutMs },
    container: { install, host, network, extraHosts, logDriver, logOptions },
    clock,
    log,
    callTimeoutMs,
  })
}
