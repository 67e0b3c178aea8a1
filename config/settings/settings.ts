import type { HostId, Secret } from '../../core/model/index.ts'
import { ConfigError } from '../issues.ts'
import { type Env, EnvReader, unknownVariables } from './read.ts'
import { SETTINGS } from './table.ts'

/** The engine's address when no variable gives one. */
export const LOCAL_DOCKER_SOCKET = 'unix:///var/run/docker.sock'

export type Protocol = 'auto' | 'v1' | 'v2'

export type SourceSettings =
  | { readonly kind: 'sandbox' }
  | { readonly kind: 'shipfox'; readonly apiUrl: string; readonly token: Secret; readonly protocol: Protocol }

export interface DockerSettings {
  /** `unix://`, `tcp://` or `ssh://`. */
  readonly host: string
  /** Folder with ca.pem, cert.pem and key.pem, for an engine behind TLS. */
  readonly tlsFolder: string | null
  readonly network: string | null
  /** Each is `name:address`, as in `docker run --add-host`. */
  readonly extraHosts: readonly string[]
  readonly logDriver: string | null
  /** Null = the driver's defaults. The values may be secrets. */
  readonly logOptions: Readonly<Record<string, Secret>> | null
  readonly failedRetentionMs: number
  readonly maxRetainedFailed: number
}

/** Caps that the owner set on this machine; null = what the engine reports. */
export interface HostSettings {
  readonly name: HostId
  readonly cpuMillis: number | null
  readonly memoryMib: number | null
  readonly maxRunners: number | null
}

interface CommonSettings {
  readonly docker: DockerSettings
  readonly host: HostSettings
  /** Null = the caller chooses. */
  readonly engine: 'docker' | 'process' | null
  readonly stateDir: string
  readonly log: 'text' | 'json'
}

/** Settings of a hub on one machine. URLs have no trailing slash. */
export interface Settings extends CommonSettings {
  readonly source: SourceSettings
  /** Null = the demo templates when the source is the sandbox, else the templates that the hub stores. */
  readonly templatesFile: string | null
  /** The API's address as runners reach it; null with the sandbox, which knows its own address. */
  readonly runnerApiUrl: string | null
  readonly pollWaitSeconds: number
  readonly pollIntervalMs: number
  readonly pollMaxIntervalMs: number
  readonly convergeIntervalMs: number
  readonly maxReservations: number
  /** Upper bound of one mint, for each generation of the server's API. */
  readonly mintBatchMax: { readonly v1: number; readonly v2: number }
  readonly registrationDeadlineMs: number
  /** 0 = for ever. */
  readonly runnerPollMaxDurationMs: number
  readonly runnerMaxLifetimeSeconds: number
  readonly localAgentToken: Secret | null
  readonly hubPort: number
}

/** Settings of `slipway agent`. `hubUrl` is ws:// or wss:// and has no trailing slash. */
export interface AgentSettings extends CommonSettings {
  readonly hubUrl: string
  readonly agentToken: Secret
}

export interface Parsed<S> {
  readonly settings: S
  readonly warnings: readonly string[]
}

export interface SettingsOptions {
  /** True if a hub with a Shipfox source needs no templates file, because it can use stored templates. */
  readonly mayStoreTemplates?: boolean
}

/** Parses the environment of a hub on one machine. Throws ConfigError with all issues. */
export function parseSettings(
  env: Env,
  { mayStoreTemplates = false }: SettingsOptions = {},
): Parsed<Settings> {
  const reader = new EnvReader(env)
  const settings: Settings = {
    source: readSource(reader, mayStoreTemplates),
    templatesFile: reader.read(SETTINGS.templatesFile),
    runnerApiUrl: reader.read(SETTINGS.runnerApiUrl) ?? reader.read(SETTINGS.apiUrl),
    maxReservations: reader.read(SETTINGS.maxReservations),
    mintBatchMax: {
      v1: reader.read(SETTINGS.registrationTokenBatchSize),
      v2: reader.read(SETTINGS.runnerInstanceBatchSize),
    },
    registrationDeadlineMs: reader.read(SETTINGS.registrationDeadlineMs),
    runnerPollMaxDurationMs: reader.read(SETTINGS.runnerPollMaxDurationMs),
    runnerMaxLifetimeSeconds: reader.read(SETTINGS.runnerMaxLifetimeSeconds),
    localAgentToken: reader.read(SETTINGS.localAgentToken),
    hubPort: reader.read(SETTINGS.hubPort),
    ...readPace(reader),
    ...readCommon(reader),
  }
  reader.throwIfAny()
  return { settings, warnings: [...warningsAbout(settings.source, reader), ...unknownVariables(env)] }
}

/** Parses the environment of `slipway agent`. Throws ConfigError with all issues. */
export function parseAgentSettings(env: Env): Parsed<AgentSettings> {
  const reader = new EnvReader(env)
  const hubUrl = reader.require(SETTINGS.hubUrl, 'the hub address from the installer line')
  const agentToken = reader.require(SETTINGS.agentToken, 'the agent token from enrolment')
  const common = readCommon(reader)
  reader.throwIfAny()
  if (hubUrl === null || agentToken === null) throw new ConfigError(reader.issues())
  return { settings: { ...common, hubUrl, agentToken }, warnings: unknownVariables(env) }
}

function readSource(reader: EnvReader, mayStoreTemplates: boolean): SourceSettings {
  const protocol = reader.read(SETTINGS.protocol)
  if (!reader.isSet(SETTINGS.apiUrl)) {
    reader.read(SETTINGS.token)
    return { kind: 'sandbox' }
  }
  const apiUrl = reader.read(SETTINGS.apiUrl)
  const token = reader.require(SETTINGS.token, 'a provisioner token, sf_pt_…, with SHIPFOX_API_URL')
  if (!mayStoreTemplates)
    reader.require(SETTINGS.templatesFile, 'the path of the templates file, with SHIPFOX_API_URL')
  return apiUrl === null || token === null
    ? { kind: 'sandbox' }
    : { kind: 'shipfox', apiUrl, token, protocol }
}

type Pace = 'pollWaitSeconds' | 'pollIntervalMs' | 'pollMaxIntervalMs' | 'convergeIntervalMs'

function readPace(reader: EnvReader): Pick<Settings, Pace> {
  const pace = {
    pollWaitSeconds: reader.read(SETTINGS.pollWaitSeconds),
    pollIntervalMs: reader.read(SETTINGS.pollIntervalMs),
    pollMaxIntervalMs: reader.read(SETTINGS.pollMaxIntervalMs),
    convergeIntervalMs: reader.read(SETTINGS.convergeIntervalMs),
  }
  if (pace.pollMaxIntervalMs < pace.pollIntervalMs) {
    const isSet = reader.isSet(SETTINGS.pollMaxIntervalMs)
    const message = `the maximum ${pace.pollMaxIntervalMs} is below the interval ${pace.pollIntervalMs}`
    const expected = `${SETTINGS.pollMaxIntervalMs.name} to be at least ${SETTINGS.pollIntervalMs.name}`
    reader.add(isSet ? SETTINGS.pollMaxIntervalMs : SETTINGS.pollIntervalMs, message, { expected })
  }
  return pace
}

function readCommon(reader: EnvReader): CommonSettings {
  return {
    docker: readDocker(reader),
    host: {
      name: reader.read(SETTINGS.hostName),
      cpuMillis: reader.read(SETTINGS.hostCpuMillis),
      memoryMib: reader.read(SETTINGS.hostMemoryMib),
      maxRunners: reader.read(SETTINGS.hostMaxRunners),
    },
    engine: reader.read(SETTINGS.engine),
    stateDir: reader.read(SETTINGS.stateDir),
    log: reader.read(SETTINGS.log),
  }
}

function readDocker(reader: EnvReader): DockerSettings {
  if (reader.isSet(SETTINGS.dockerLogOptions) && !reader.isSet(SETTINGS.dockerLogDriver)) {
    const expected = `${SETTINGS.dockerLogDriver.name} to be set as well`
    reader.add(SETTINGS.dockerLogOptions, 'is set without a log driver', { expected })
  }
  return {
    host: readDockerHost(reader),
    tlsFolder: reader.isSet(SETTINGS.dockerTlsVerify) ? reader.read(SETTINGS.dockerCertPath) : null,
    network: reader.read(SETTINGS.dockerNetwork),
    extraHosts: reader.read(SETTINGS.dockerExtraHosts),
    logDriver: reader.read(SETTINGS.dockerLogDriver),
    logOptions: reader.read(SETTINGS.dockerLogOptions),
    failedRetentionMs: reader.read(SETTINGS.failedRetentionMs),
    maxRetainedFailed: reader.read(SETTINGS.maxRetainedFailed),
  }
}

/** DOCKER_HOST belongs to the docker command: it is read, and checked, only when our own variable is unset. */
function readDockerHost(reader: EnvReader): string {
  const own = reader.isSet(SETTINGS.dockerHost)
  return reader.read(own ? SETTINGS.dockerHost : SETTINGS.dockerHostOfClient) ?? LOCAL_DOCKER_SOCKET
}

const LOOPBACK = /^http:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::|\/|$)/

function warningsAbout(source: SourceSettings, reader: EnvReader): readonly string[] {
  if (source.kind === 'sandbox') {
    const message = `${SETTINGS.token.name} is set without ${SETTINGS.apiUrl.name}: the source is the sandbox.`
    return reader.isSet(SETTINGS.token) ? [message] : []
  }
  const isOpen = source.apiUrl.startsWith('http:') && !LOOPBACK.test(source.apiUrl)
  return isOpen ? [`${SETTINGS.apiUrl.name} starts with http: the token is sent unencrypted.`] : []
}
