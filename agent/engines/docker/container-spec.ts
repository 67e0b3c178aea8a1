import type Docker from 'dockerode'
import { SlipwayError, type Isolation, type SlotSize } from '../../../core/model/index.ts'
import { EngineError, type RunnerSpec } from '../engine.ts'
import { keptFacts } from '../origin.ts'
import { containerName, writeLabels, type Ownership } from './labels.ts'

/** What the owner of the host decides for every container on it. */
export interface ContainerOptions extends Ownership {
  /** The network that containers join; null = the engine's default bridge. */
  readonly network: string | null
  /** `name:address` each; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[]
  /** Null = the engine's default driver. */
  readonly logDriver: string | null
  readonly logOptions: Readonly<Record<string, string>>
  /** The engine's default log driver. */
  readonly defaultLogDriver: string
}

/** Enough for a wide parallel build, far too few for a fork bomb to hurt the host. */
const PIDS_MAX = 4_096
/** Two files of 10 MB: the end of a long job's output can still be read, and 100 runners stay below 2 GB. */
const LOG_CAPS = { 'max-size': '10m', 'max-file': '2' }
/** The drivers that write to the host's disk and support these caps; json-file has no cap by default. */
const CAPPED_DRIVERS = new Set(['json-file', 'local'])
const BYTES_PER_MIB = 1_048_576
const NANO_CPUS_PER_MILLI = 1_000_000

/**
 * Taken from Docker's default set; nothing is ever added to it.
 * NET_RAW lets a job forge packets to its neighbours on the bridge (`ping` works without it). MKNOD makes device
 * nodes, which an unprivileged user of the host could then open through /proc. AUDIT_WRITE stays: without it `su`
 * fails in older images, and all that it allows is to add lines to the audit log.
 */
const DROPPED_CAPABILITIES = ['MKNOD', 'NET_RAW']

/** The runtime of each isolation; undefined = the engine's default. */
const RUNTIMES: Readonly<Record<Isolation, string | undefined>> = { runc: undefined, sysbox: 'sysbox-runc' }

/**
 * The whole request that creates a runner's container. It is built from typed fields alone: no field of a launch
 * reaches privileges, namespaces of the host, mounts, devices or the engine's socket. Throws `refused`.
 */
export function containerSpec(spec: RunnerSpec, options: ContainerOptions): Docker.ContainerCreateOptions {
  return {
    name: containerName(spec.runner),
    Image: spec.image,
    Env: environment(spec),
    Labels: { ...writeLabels(options, keptFacts(spec)) },
    Tty: false,
    OpenStdin: false,
    StopSignal: 'SIGTERM',
    StopTimeout: Math.ceil(spec.stopTimeoutMs / 1000),
    HostConfig: hostConfig(spec, options),
  }
}

function hostConfig({ origin, isolation }: RunnerSpec, options: ContainerOptions): Docker.HostConfig {
  const memoryBytes = origin.memoryMib * BYTES_PER_MIB
  const runtime = RUNTIMES[isolation]
  assertNetwork(options.network)
  assertLimits(origin)
  return {
    Privileged: false,
    IpcMode: 'private',
    NetworkMode: options.network ?? 'default',
    ExtraHosts: [...options.extraHosts],
    NanoCpus: origin.cpuMillis * NANO_CPUS_PER_MILLI,
    Memory: memoryBytes,
    // Equal to the memory limit: no swap.
    MemorySwap: memoryBytes,
    PidsLimit: PIDS_MAX,
    SecurityOpt: ['no-new-privileges:true'],
    // Sysbox maps root to nobody on the host and needs the full set inside for systemd and an engine of the job's own.
    ...(isolation === 'runc' && { CapDrop: DROPPED_CAPABILITIES }),
    ...(runtime !== undefined && { Runtime: runtime }),
    Init: true,
    // Containers stay until the agent has read their exit, and none ever starts twice.
    RestartPolicy: { Name: 'no' },
    AutoRemove: false,
    LogConfig: logConfig(options),
  }
}

/** Throws `docker-network-refused` for a network that would join a container with the host or another container. */
export function assertNetwork(network: string | null): void {
  if (network === null || !/^\s*(host|container:.*)\s*$/is.test(network)) return
  throw new SlipwayError(
    'docker-network-refused',
    `Runners must not use the network "${network}": jobs could reach services that only this machine may reach. Configure a bridge network.`,
  )
}

/** To the engine, zero means "no limit". */
function assertLimits({ cpuMillis, memoryMib }: SlotSize): void {
  if (cpuMillis >= 1 && memoryMib >= 1) return
  throw new EngineError(
    'refused',
    `A runner needs limits: ${cpuMillis} thousandths of a vCPU and ${memoryMib} MiB are none.`,
  )
}

function logConfig({
  logDriver,
  logOptions,
  defaultLogDriver,
}: ContainerOptions): Docker.HostConfig['LogConfig'] {
  const driver = logDriver ?? defaultLogDriver
  const caps = CAPPED_DRIVERS.has(driver) ? LOG_CAPS : {}
  return { Type: driver, Config: { ...caps, ...logOptions } }
}

/** A name that contains `=` would set another variable. */
function environment(spec: RunnerSpec): string[] {
  const secrets = Object.entries(spec.secretEnv).map(([name, secret]) => [name, secret.reveal()] as const)
  const variables = new Map<string, string>([...Object.entries(spec.env), ...secrets])
  return [...variables].map(([name, value]) => {
    if (/^[^=\0]+$/.test(name) && !value.includes('\0')) return `${name}=${value}`
    const shown = JSON.stringify(name)
    throw new EngineError(
      'refused',
      `Runner ${spec.runner} has an environment variable ${shown} that cannot be set: its name must not contain "=", and neither name nor value a NUL.`,
    )
  })
}
