import { HOST_RUNNERS_MAX, LOCAL_HOST, SOURCE_PACE, TIMER_MAX_MS } from '../../core/model/index.ts'
import { parseMemoryMib, TIMER_MAX_SECONDS } from '../quantities.ts'
import * as kinds from './kinds.ts'

/** One variable. `fallback` is its value when it is unset or empty; `default` describes that for the user. */
export interface Setting<T> {
  readonly name: string
  readonly default: string
  readonly meaning: string
  readonly kind: kinds.Kind<T>
  readonly fallback: T
}

type Words = Pick<Setting<unknown>, 'default' | 'meaning'>

function optional<T>(name: string, kind: kinds.Kind<T>, words: Words): Setting<T | null> {
  return { name, kind, fallback: null, ...words }
}

function integer(
  name: string,
  [min, max]: readonly [number, number],
  fallback: number,
  meaning: string,
): Setting<number> {
  return { name, kind: kinds.integer(min, max), fallback, default: String(fallback), meaning }
}

/** Polling more often than every 10 ms would overload the server. */
const PACE_MS = [10, 3_600_000] as const
/** Servers hold a poll for at most 30 s and treat any larger number as 30 s. */
const WAIT_SECONDS = [0, 3600] as const
/** Limits of the Shipfox API. */
const RESERVATIONS = [0, 1000] as const
const BATCH = [1, 1000] as const
/** No container starts in less than a second. */
const DEADLINE_MS = [1000, TIMER_MAX_MS] as const
/** Retained containers use disk space on their host. */
const RETAINED = [0, 1000] as const

/** Variables of the Shipfox Docker provisioner, with the same names and meanings. */
const SHIPFOX_SETTINGS = {
  apiUrl: optional('SHIPFOX_API_URL', kinds.httpUrl, {
    default: 'the sandbox source',
    meaning: 'Base URL of the Shipfox API; may have a path prefix.',
  }),
  token: optional('SHIPFOX_PROVISIONER_TOKEN', kinds.provisionerToken, {
    default: 'required with an API URL',
    meaning: 'Long-lived provisioner token, sf_pt_….',
  }),
  protocol: {
    name: 'SHIPFOX_PROTOCOL',
    kind: kinds.choice(['auto', 'v1', 'v2']),
    fallback: 'auto',
    default: 'auto',
    meaning:
      "Generation of the server's API: v1 (registration tokens) or v2 (runner instances); auto detects it.",
  },
  templatesFile: optional('SHIPFOX_PROVISIONER_TEMPLATES_FILE', kinds.text, {
    default: 'demo templates with the sandbox; "slipway hub" uses the stored templates',
    meaning: 'Path of the templates file (YAML).',
  }),
  runnerApiUrl: optional('SHIPFOX_RUNNER_API_URL', kinds.httpUrl, {
    default: 'SHIPFOX_API_URL',
    meaning: 'API URL passed to runners, if containers reach the API at another address.',
  }),
  dockerHost: optional('SHIPFOX_PROVISIONER_DOCKER_HOST', kinds.dockerHost, {
    default: 'DOCKER_HOST, then the local socket',
    meaning: 'Address of the Docker Engine: unix://, tcp:// or ssh://.',
  }),
  dockerNetwork: optional('SHIPFOX_PROVISIONER_DOCKER_NETWORK', kinds.networkName, {
    default: '-',
    meaning: 'Docker network that runners join.',
  }),
  dockerExtraHosts: {
    name: 'SHIPFOX_PROVISIONER_DOCKER_EXTRA_HOSTS',
    kind: kinds.extraHosts,
    fallback: [],
    default: '-',
    meaning: 'Names that runners can resolve: name:address, separated by commas; host-gateway is the host.',
  },
  dockerLogDriver: optional('SHIPFOX_PROVISIONER_DOCKER_LOG_DRIVER', kinds.logDriver, {
    default: 'as the engine',
    meaning: 'Log driver of runner containers.',
  }),
  dockerLogOptions: optional('SHIPFOX_PROVISIONER_DOCKER_LOG_OPTIONS', kinds.logOptions, {
    default: 'as the engine',
    meaning: 'Options of the log driver, a JSON object of strings; requires the log driver to be set.',
  }),
  pollWaitSeconds: integer(
    'SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS',
    WAIT_SECONDS,
    SOURCE_PACE.pollWaitSecondsMax,
    'Longest time that the server holds a poll, in seconds; 0: it answers at once. Slipway asks for less while latency matters.',
  ),
  pollIntervalMs: integer(
    'SHIPFOX_PROVISIONER_POLL_INTERVAL_MS',
    PACE_MS,
    SOURCE_PACE.pollIntervalMs,
    'Interval between polls after an empty answer.',
  ),
  pollMaxIntervalMs: integer(
    'SHIPFOX_PROVISIONER_POLL_MAX_INTERVAL_MS',
    PACE_MS,
    SOURCE_PACE.pollIntervalMaxMs,
    'Longest interval between polls after backoff; must not be below the interval.',
  ),
  convergeIntervalMs: integer(
    'SHIPFOX_PROVISIONER_CONVERGE_INTERVAL_MS',
    PACE_MS,
    SOURCE_PACE.reportIntervalMs,
    'Interval at which runners are observed and reported.',
  ),
  maxReservations: integer(
    'SHIPFOX_PROVISIONER_MAX_RESERVATIONS',
    RESERVATIONS,
    SOURCE_PACE.maxReservations,
    'Most reservations that one poll asks for.',
  ),
  registrationTokenBatchSize: integer(
    'SHIPFOX_PROVISIONER_REGISTRATION_TOKEN_BATCH_SIZE',
    BATCH,
    SOURCE_PACE.mintBatchMax.v1,
    'Upper bound of one mint on a v1 server. Slipway uses smaller batches.',
  ),
  runnerInstanceBatchSize: integer(
    'SHIPFOX_PROVISIONER_RUNNER_INSTANCE_BATCH_SIZE',
    BATCH,
    SOURCE_PACE.mintBatchMax.v2,
    'Upper bound of one mint on a v2 server. Slipway uses smaller batches.',
  ),
  registrationDeadlineMs: integer(
    'SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS',
    DEADLINE_MS,
    SOURCE_PACE.registrationDeadlineMs,
    'A runner that has not started or registered within this time is removed; on v2 also the upper bound of the reservation TTL.',
  ),
  failedRetentionMs: integer(
    'SHIPFOX_PROVISIONER_DOCKER_FAILED_CONTAINER_RETENTION_MS',
    [0, TIMER_MAX_MS],
    3_600_000,
    'How long failed containers are kept for inspection; 0 keeps none.',
  ),
  maxRetainedFailed: integer(
    'SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS',
    RETAINED,
    20,
    'How many failed containers are kept; 0 keeps none.',
  ),
  runnerPollMaxDurationMs: integer(
    'SHIPFOX_RUNNER_POLL_MAX_DURATION_MS',
    [0, TIMER_MAX_MS],
    SOURCE_PACE.runnerPollMaxDurationMs,
    'How long a runner waits for its job, passed to it as SHIPFOX_POLL_MAX_DURATION_MS; 0 = no limit.',
  ),
  runnerMaxLifetimeSeconds: integer(
    'SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS',
    [1, TIMER_MAX_SECONDS],
    3600,
    'Maximum lifetime of a runner, passed to it and enforced by the agent; a template may set its own.',
  ),
} as const

/** Default port of the hub. */
const HUB_PORT = 8420

/** Variables that only Slipway has. */
const SLIPWAY_SETTINGS = {
  stateDir: {
    name: 'SLIPWAY_STATE_DIR',
    kind: kinds.text,
    fallback: '.slipway',
    default: '.slipway',
    meaning: 'Folder for all state that survives a restart.',
  },
  localAgentToken: optional('SLIPWAY_LOCAL_AGENT_TOKEN', kinds.agentToken, {
    default: 'created by "slipway start"; without it "slipway hub" has no local host',
    meaning: 'Token that enrols the local agent.',
  }),
  hostName: {
    name: 'SLIPWAY_HOST_NAME',
    kind: kinds.hostName,
    fallback: LOCAL_HOST,
    default: LOCAL_HOST,
    meaning: 'Name of this host.',
  },
  hostCpuMillis: optional('SLIPWAY_HOST_CPUS', kinds.cpus, {
    default: 'what the engine reports',
    meaning: 'vCPUs that runners on this host may use together, such as 3.5.',
  }),
  hostMemoryMib: optional('SLIPWAY_HOST_MEMORY', kinds.quoting(parseMemoryMib), {
    default: 'what the engine reports',
    meaning: 'Memory that runners on this host may use together, such as 4GiB.',
  }),
  hostMaxRunners: optional('SLIPWAY_HOST_MAX_RUNNERS', kinds.integer(1, HOST_RUNNERS_MAX), {
    default: 'what its vCPUs and memory allow',
    meaning: `Most runners at once on this host, 1 to ${HOST_RUNNERS_MAX}.`,
  }),
  engine: optional('SLIPWAY_ENGINE', kinds.choice(['docker', 'process']), {
    default: 'chosen at start',
    meaning: 'How runners run: docker (containers) or process (plain processes without isolation).',
  }),
  hubPort: integer(
    'SLIPWAY_HUB_PORT',
    [0, 65_535],
    HUB_PORT,
    'Port that the hub listens on; 0 = any free port.',
  ),
  hubUrl: optional('SLIPWAY_HUB_URL', kinds.hubUrl, {
    default: 'required by "slipway agent"',
    meaning: 'Address of the hub that the agent dials: wss://… or https://….',
  }),
  hubApiUrl: optional('SLIPWAY_API_URL', kinds.httpUrl, {
    default: 'the hub on this machine',
    meaning: "URL of a deployed hub's API (stack output ApiUrl), for commands that query a hub.",
  }),
  agentToken: optional('SLIPWAY_AGENT_TOKEN', kinds.agentToken, {
    default: 'required by "slipway agent"',
    meaning: 'Long-lived token that authenticates the agent to the hub.',
  }),
  log: {
    name: 'SLIPWAY_LOG',
    kind: kinds.choice(['text', 'json']),
    fallback: 'text',
    default: 'text',
    meaning: 'Log format: text for people, json for machines.',
  },
} as const

/** Variables of the docker command that Slipway reads as well. */
const FOREIGN_SETTINGS = {
  dockerTlsVerify: optional('DOCKER_TLS_VERIFY', kinds.text, {
    default: 'no TLS',
    meaning: 'Any value: use TLS for a tcp:// engine, as the docker command does.',
  }),
  dockerCertPath: optional('DOCKER_CERT_PATH', kinds.text, {
    default: '-',
    meaning: 'Folder with ca.pem, cert.pem and key.pem; used with DOCKER_TLS_VERIFY.',
  }),
  dockerHostOfClient: optional('DOCKER_HOST', kinds.dockerHost, {
    default: 'the local socket',
    meaning: 'Address of the Docker Engine, as for the docker command.',
  }),
} as const

/** Every variable that Slipway reads. The parser, `--help` and the documentation all come from this table. */
export const SETTINGS = { ...SHIPFOX_SETTINGS, ...SLIPWAY_SETTINGS, ...FOREIGN_SETTINGS } as const

export interface SettingHelp {
  readonly name: string
  readonly default: string
  readonly meaning: string
}

export const SETTINGS_HELP: readonly SettingHelp[] = Object.values(SETTINGS).map((setting) => {
  return { name: setting.name, default: setting.default, meaning: setting.meaning }
})
