import { mkdir } from 'node:fs/promises'
import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi'
import type { TemplateDefaults } from '../config/index.ts'
import {
  type ControlLoopRun,
  fixedTemplates,
  type Hub,
  runControlLoop,
  sweep,
  type SweepPorts,
  StoredTemplates,
  type TemplatesInForce,
} from '../core/flows/index.ts'
import { type HostId, messageOf, type Secret, type Template } from '../core/model/index.ts'
import type { AgentGateway, DemandSource, FleetStore, Log } from '../core/ports/index.ts'
import { hashAgentToken } from '../platform/agent-token.ts'
import { lockDataDir } from '../platform/folder-lock.ts'
import { agentAuthorizer } from '../lambdas/agent-authorizer/handler.ts'
import { agentSocketHandler } from '../lambdas/agent-socket/handler.ts'
import { systemClock, systemRandom } from '../adapters/system/index.ts'
import { httpApiHandler } from '../lambdas/http-api/handler.ts'
import { Closers } from './closers.ts'
import { startHttpApiGateway } from './gateway/http-api.ts'
import { restartOnFailure } from './restart-on-failure.ts'
import { startGateway } from './gateway/index.ts'
import { type LocalManagement, startManagement } from './gateway/management.ts'

/** One name for every run in a state folder: a restarted hub takes its own lease over at once. */
const HOLDER = 'local'
const SWEEP_EVERY_MS = 60_000

export interface LocalHubOptions {
  readonly stateDir: string
  readonly listenOn: { readonly host: string; readonly port: number }
  /** Null: the stored ones, which the API can change. Otherwise these, and where they come from. */
  readonly templates: readonly Template[] | null
  readonly templatesFrom?: string
  /** What stored templates that don't say get. */
  readonly templateDefaults?: Partial<TemplateDefaults>
  readonly sources: readonly DemandSource[]
  /** Hosts that may connect, each with its agent's token. */
  readonly hosts: readonly { readonly id: HostId; readonly tags: readonly string[]; readonly token: Secret }[]
  readonly build: string
  readonly log: Log
  /** The composition root's choice of adapters. */
  readonly adapters: {
    /** The store whose data lies in that folder. */
    readonly openStore: (stateDir: string) => Promise<{ readonly store: FleetStore; close(): Promise<void> }>
    readonly openAgentGateway: (client: ApiGatewayManagementApiClient) => AgentGateway
  }
}

export interface LocalHub {
  /** The URL that agents connect to. */
  readonly url: string
  readonly store: FleetStore
  /** Plans and launches until one of the signals says otherwise; resolves when it is over. */
  run(signals: Pick<ControlLoopRun, 'drain' | 'stop' | 'stayUntil'>): Promise<void>
  close(): Promise<void>
}

/** The hub in one process: the flows and handlers of the AWS hub on a store of this machine and a local gateway. */
export async function openLocalHub(options: LocalHubOptions): Promise<LocalHub> {
  const closers = new Closers()
  try {
    const parts = await openParts(options, closers)
    return {
      url: parts.url,
      store: parts.hub.store,
      run: (signals) => serve(options, parts.hub, signals),
      close: () => closers.close(),
    }
  } catch (thrown) {
    // Whatever of it listens already would keep the process, and the folder's lock.
    await closers.close()
    throw thrown
  }
}

async function openParts(options: LocalHubOptions, closers: Closers): Promise<{ url: string; hub: Hub }> {
  const { log, stateDir } = options
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const lock = await lockDataDir(stateDir, 'hub')
  closers.add(() => lock.release())
  const opened = await options.adapters.openStore(stateDir)
  closers.add(() => opened.close())
  const { store } = opened
  const inForce = openTemplates(options, store)
  await inForce.refresh()
  await endOldConnections(store)
  for (const host of options.hosts) await enrol(store, host)
  const agents = await openAgents(options, closers)
  const templates = () => inForce.templates
  const ports = { store, gateway: agents.gateway, templates, clock: systemClock, log }
  const gateway = await startGateway({
    ...options.listenOn,
    authorize: agentAuthorizer({ store, log }),
    handle: agentSocketHandler(ports),
    management: agents.management,
    log,
  })
  closers.add(() => gateway.close())
  const api = await startHttpApiGateway({
    folder: stateDir,
    handle: httpApiHandler({ ...ports, ...adminParts(options), agentUrl: gateway.url }),
    log,
  })
  closers.add(() => api.close())
  const { sources } = options
  return { url: gateway.url, hub: { ...ports, templatesInForce: inForce, sources, random: systemRandom } }
}

async function serve(
  { build }: LocalHubOptions,
  hub: Hub,
  signals: Parameters<LocalHub['run']>[0],
): Promise<void> {
  const over = new AbortController()
  const sweeping = repeatSweep(hub, AbortSignal.any([signals.stop, over.signal]))
  const run = { holder: HOLDER, build, ...signals }
  try {
    await restartOnFailure((again) => runControlLoop(hub, { ...run, ...again }), signals, hub)
  } finally {
    over.abort()
    await sweeping
  }
}

function openTemplates({ templates, log }: LocalHubOptions, store: FleetStore): TemplatesInForce {
  return templates === null
    ? new StoredTemplates({ store, clock: systemClock, log })
    : fixedTemplates(templates)
}

/** What the API says of how this hub was started. Its sources' tokens come from its environment. */
function adminParts(options: LocalHubOptions) {
  const { templates, templatesFrom = 'what it was started with', sources, build } = options
  return {
    build,
    templateDefaults: options.templateDefaults ?? {},
    sources: sources.map(({ id }) => ({ id, tokenParameter: null })),
    fixedTemplates: templates === null ? null : { from: templatesFrom, text: null, templates },
  }
}

/** A gateway that has just started has no connections: those of its last run ended with it, told or not. */
async function endOldConnections(store: FleetStore): Promise<void> {
  const { hosts } = await store.readFleet()
  for (const { id, connection } of hosts) {
    if (connection !== null) await store.endSession({ host: id, connection, now: systemClock.now() })
  }
}

/** The host is there with this very token; a token that changed replaces the old one. */
async function enrol(
  store: FleetStore,
  { id, tags, token }: LocalHubOptions['hosts'][number],
): Promise<void> {
  const tokenHash = hashAgentToken(token)
  const known = await store.getHost(id)
  if (known?.tokenHash === tokenHash) return
  if (known !== null) await store.replaceToken({ host: id, tokenHash, now: systemClock.now() })
  else await store.addHost({ id, tags, tokenHash, now: systemClock.now() })
}

/** The way to connected agents. It is there before the gateway is, whose handlers use it. */
async function openAgents(
  { adapters }: LocalHubOptions,
  closers: Closers,
): Promise<{ management: LocalManagement; gateway: AgentGateway }> {
  const management = await startManagement()
  closers.add(() => management.close())
  const client = managementClient(management)
  closers.add(async () => client.destroy())
  return { management, gateway: adapters.openAgentGateway(client) }
}

function managementClient({ endpoint, accessKeyId }: { endpoint: string; accessKeyId: string }) {
  return new ApiGatewayManagementApiClient({
    endpoint,
    region: 'local',
    credentials: { accessKeyId, secretAccessKey: 'local' },
  })
}

/** The first one waits too: while this hub was down no host could connect, and none is dead for that. */
async function repeatSweep(ports: SweepPorts, over: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(SWEEP_EVERY_MS, over)
    if (over.aborted) return
    try {
      await sweep(ports)
    } catch (thrown) {
      ports.log.emit({ name: 'hub.sweep-failed', reason: messageOf(thrown), cause: thrown })
    }
  }
}
