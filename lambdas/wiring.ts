import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createConnectionCloser, type SignedFetch } from '../adapters/api-gateway/closer.ts'
import { createAgentGateway } from '../adapters/api-gateway/index.ts'
import { createSignedFetch } from '../adapters/aws-request/index.ts'
import { createDynamoStore } from '../adapters/dynamodb/index.ts'
import { createLog, lambdaLine, lineOf, type LogLine } from '../adapters/log/index.ts'
import { createShipfoxSource } from '../adapters/shipfox/index.ts'
import { createSecretReader, type ParameterStore, parameterStoreEndpoint } from '../adapters/ssm/index.ts'
import { systemClock, systemRandom } from '../adapters/system/index.ts'
import { SecretCache, sourceWithSecret, StoredTemplates } from '../core/flows/index.ts'
import { type Secret, SOURCE_PACE, sourceId } from '../core/model/index.ts'
import type { AgentGateway, DemandSource, FleetStore, Log } from '../core/ports/index.ts'
import type { ControlLoopEnv } from './control-loop/env.ts'
import type { ControlLoopParts } from './control-loop/handler.ts'
import type { SourceEnv } from './env.ts'
import { Meter } from '../adapters/cloudwatch/meter.ts'

/*
 * The composition root of the hub on AWS: the only file in lambdas/ that chooses adapters. One function per handler, so
 * that a bundle contains only what its handler uses.
 */

/**
 * Every attempt and every call has a deadline, because kept connections may be closed (L6) or stay silent (L7). Retries
 * are safe: each write is conditional and has the same result when it is repeated.
 */
const CLIENT = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
    socketTimeout: 5_000,
  },
}

export function openStore(env: { readonly SLIPWAY_TABLE: string }): FleetStore {
  return createDynamoStore({ client: new DynamoDBClient(CLIENT), table: env.SLIPWAY_TABLE })
}

export function openGateway(env: { readonly SLIPWAY_SOCKET_ENDPOINT: string }): AgentGateway {
  return createAgentGateway(managementClient(env))
}

function managementClient(env: { readonly SLIPWAY_SOCKET_ENDPOINT: string }): ApiGatewayManagementApiClient {
  return new ApiGatewayManagementApiClient({ ...CLIENT, endpoint: env.SLIPWAY_SOCKET_ENDPOINT })
}

/** JSON lines on stdout. Not through the console: the runtime would wrap them, and CloudWatch would find no metrics. */
export function openLog(): Log {
  return createLog((entry) => write(lineOf(entry)))
}

/** Like `openLog`, with the metrics of the events. */
function meteredLog(meter: Meter): Log {
  return createLog((entry) => write(lineOf(entry, meter.take(entry))))
}

function write(line: LogLine): void {
  process.stdout.write(`${lambdaLine(line)}\n`)
}

/** The ports of the function that handles messages of agents. */
export function openSession(env: {
  readonly SLIPWAY_TABLE: string
  readonly SLIPWAY_SOCKET_ENDPOINT: string
}) {
  const store = openStore(env)
  const stored = new StoredTemplates({ store, clock: systemClock, log: openLog() })
  return {
    store,
    gateway: openGateway(env),
    clock: systemClock,
    templates: async () => {
      await stored.refresh(TEMPLATES_CACHE_MS)
      return stored.templates
    },
  }
}

/** The ports of the sweep, which only changes the store. */
export function openSweep(env: { readonly SLIPWAY_TABLE: string }) {
  return { store: openStore(env), clock: systemClock, log: meteredLog(new Meter(env.SLIPWAY_TABLE)) }
}

/** The ports of the HTTP API. */
export function openAdmin(env: { readonly SLIPWAY_TABLE: string; readonly SLIPWAY_SOCKET_ENDPOINT: string }) {
  const client = new DynamoDBClient(CLIENT)
  const close: SignedFetch = async (request) => {
    const region = await client.config.region()
    const send = createSignedFetch({ service: 'execute-api', region, credentials: client.config.credentials })
    return send(request)
  }
  return {
    store: createDynamoStore({ client, table: env.SLIPWAY_TABLE }),
    gateway: createConnectionCloser(env.SLIPWAY_SOCKET_ENDPOINT, close),
    clock: systemClock,
    log: openLog(),
  }
}

/** Maximum age of the templates by which a connecting host gets its images; the control loop sends later changes. */
const TEMPLATES_CACHE_MS = 60_000

export function openControlLoop(env: ControlLoopEnv): ControlLoopParts {
  const meter = new Meter(env.SLIPWAY_TABLE, { mode: env.SLIPWAY_MODE })
  const client = new DynamoDBClient(CLIENT)
  const management = managementClient(env)
  client.middlewareStack.add((next) => (given) => next(meter.counting(given)), COUNTED)
  management.middlewareStack.add((next) => (given) => next(meter.counting(given)), COUNTED)
  const secrets = new SecretCache(
    createSecretReader(() => parameterStore(client)),
    systemClock,
  )
  const log = meteredLog(meter)
  return {
    store: createDynamoStore({ client, table: env.SLIPWAY_TABLE }),
    gateway: createAgentGateway(management),
    openSources: () => env.SLIPWAY_SOURCES.map((source) => openSource(source, secrets, log)),
    clock: systemClock,
    random: systemRandom,
    log,
    build: env.SLIPWAY_BUILD,
    mode: env.SLIPWAY_MODE,
    busyHours: env.SLIPWAY_BUSY_HOURS ?? null,
  }
}

/** Every sent request, retries included, is billed, so each is counted. */
const COUNTED = { step: 'finalizeRequest', name: 'countCall', priority: 'low' } as const

/** With region, credentials and endpoint as the SDK would choose them. */
async function parameterStore({ config }: DynamoDBClient): Promise<ParameterStore> {
  const region = await config.region()
  const endpoint = parameterStoreEndpoint(region, process.env['AWS_ENDPOINT_URL_SSM'])
  return { endpoint, send: createSignedFetch({ service: 'ssm', region, credentials: config.credentials }) }
}

function openSource(env: SourceEnv, secrets: SecretCache, log: Log): DemandSource {
  const id = sourceId(env.id)
  const { apiUrl, runnerApiUrl, tokenParameter: parameter } = env
  const open = (token: Secret): DemandSource =>
    createShipfoxSource({
      ...SOURCE_PACE,
      id,
      apiUrl,
      runnerApiUrl,
      token,
      protocol: 'auto',
      clock: systemClock,
      log,
    })
  return sourceWithSecret({ id, parameter, secrets, open })
}
