import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { createDynamoStore, ensureTable } from '../../adapters/dynamodb/index.ts'
import { createLog, jsonLine, lineOf, type LogLine } from '../../adapters/log/index.ts'
import { type SessionPorts, type SweepPorts, takeAgentMessage } from '../../core/flows/index.ts'
import {
  type AgentConnection,
  type AgentMessage,
  type ConnectionId,
  type HostId,
  hostId,
  type HubMessage,
} from '../../core/model/index.ts'
import type { AgentGateway, DemandSource, FleetStore, Log } from '../../core/ports/index.ts'
import { hashAgentToken, newAgentToken } from '../../platform/agent-token.ts'
import { agentAuthorizer } from '../../lambdas/agent-authorizer/handler.ts'
import type { ControlLoopParts } from '../../lambdas/control-loop/handler.ts'
import { controlLoopHandler } from '../../lambdas/control-loop/handler.ts'
import { Meter } from '../../adapters/cloudwatch/meter.ts'
import { sweepHandler } from '../../lambdas/sweep/handler.ts'
import { encodeHubMessage } from '../../protocol/agent.ts'
import { SimAgent } from '../sim/world/sim-agent.ts'
import { SimClock, SimRandom, settle } from '../sim/world/sim-clock.ts'
import { SimSource } from '../sim/world/sim-source.ts'
import { template } from '../support/template.ts'
import { type DynamoEmulator, dynamoClient, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'
import { add, NOTHING, type Usage } from './bill.ts'
import { bytesOf, TableMeter } from './metered-table.ts'

export type Mode = ControlLoopParts['mode']

/** What the functions are given, as the stack says it. */
export interface Sizes {
  readonly memoryMb: number
  readonly loopTimeoutMs: number
}

const TABLE = 'fleet'
const TICK_MS = 60_000
const GB = 1e9
/**
 * What a function of 256 MB takes, of which most is its own 0.14 of a CPU: for a call to another AWS service, and
 * for every event besides. The assembly test prints what the bundles really take under that limit.
 */
const CALL_MS = 15
const EVENT_MS = 20
/** What Lambda writes about each event: its start and its report. */
const PLATFORM_LOG_BYTES = 700
/** A call to a source by TLS on a connection that stays open, with headers and a list of templates. */
const SOURCE_CALL_BYTES = 1_500
/** Within this time an agent's reports are one message. */
const REPORT_BATCH_MS = 20
/** Agents' own pace, as the welcome asks for. */
const BEAT_MS = { idle: 240_000, busy: 60_000 }

type FunctionName = 'control-loop' | 'agent-authorizer' | 'agent-socket' | 'sweep'

/**
 * The hub's handlers on the embedded database, with hosts and a source, in a time that stands still while anything
 * is under way: months are metered in minutes. Everything that AWS would bill is counted.
 */
export class HubInVirtualTime {
  readonly clock = new SimClock(() => this.#settled())
  readonly source = new SimSource(this.clock)
  readonly agents: SimAgent[] = []
  /** Names of the metrics that were sent since the last look. */
  readonly metricsSent = new Set<string>()
  readonly failures: unknown[] = []
  readonly #emulator: DynamoEmulator
  readonly #clients: DynamoDBClient[] = []
  readonly #table = new TableMeter()
  readonly #sizes: Sizes
  readonly #random = new SimRandom(1)
  #usage: Usage = NOTHING
  /** When each event under way began. */
  readonly #underWay = new Set<{ readonly beganMs: number }>()
  readonly #reports = new Map<ConnectionId, Extract<AgentMessage, { type: 'report' }>>()
  readonly #admit = new Map<SimAgent, () => Promise<unknown>>()
  #isOver = false

  static async open(options: {
    hosts: number
    runnersPerHost: number
    mode: Mode
    sizes: Sizes
  }): Promise<HubInVirtualTime> {
    const emulator = await startDynamoEmulator()
    await ensureTable(emulator.client, TABLE)
    const hub = new HubInVirtualTime(emulator, options.sizes)
    await hub.#begin(options)
    return hub
  }

  private constructor(emulator: DynamoEmulator, sizes: Sizes) {
    this.#emulator = emulator
    this.#sizes = sizes
  }

  /** What was used so far, events under way included, without what costs by the month. */
  get usage(): Usage {
    const underWay = [...this.#underWay].map(({ beganMs }) => ({
      ...NOTHING,
      lambdaGbSeconds: this.#gbSeconds(beganMs),
    }))
    const { writeUnits, readUnits } = this.#table
    return add(this.#usage, { ...NOTHING, writeUnits, readUnits }, ...underWay)
  }

  /** Bytes in the table now. */
  async tableBytes(): Promise<number> {
    const { Items = [] } = await this.#emulator.client.send(new ScanCommand({ TableName: TABLE }))
    return Items.reduce((sum, item) => sum + bytesOf(item), 0)
  }

  /** Every agent begins a new session, as each does by itself every 80 to 110 minutes. */
  async reconnectAll(): Promise<void> {
    for (const agent of this.agents) await this.#connect(agent)
  }

  /** Removes what a day's retention would remove. */
  async removeEnded(): Promise<void> {
    const store = this.#store()
    await store.removeExpired({ before: this.clock.now(), limit: 1_000_000 })
  }

  get msNow(): number {
    return this.clock.monotonicMs()
  }

  async run(forMs: number): Promise<void> {
    await this.clock.run(forMs)
    const [failure] = this.failures
    if (failure !== undefined) throw new Error('The hub failed while it was metered.', { cause: failure })
  }

  async close(): Promise<void> {
    this.#isOver = true
    for (const client of this.#clients) client.destroy()
    await this.#emulator.close()
  }

  async #begin({
    hosts,
    runnersPerHost,
    mode,
  }: {
    hosts: number
    runnersPerHost: number
    mode: Mode
  }): Promise<void> {
    const setup = createDynamoStore({ client: this.#emulator.client, table: TABLE })
    const templates = [template('small', { image: 'registry.example/runner:1', maxConcurrency: 1_000 })]
    await setup.putTemplateVersion(
      { version: 1, storedAt: this.clock.now(), storedBy: 'operator', text: 'templates: {}', templates },
      0,
    )
    const socket = this.#sessionPorts(() => templates)
    const authorize = agentAuthorizer({ store: this.#store(), log: this.#log() })
    for (let number = 1; number <= hosts; number += 1) {
      const host = hostId(`host-${number}`)
      const token = newAgentToken(host)
      await setup.addHost({ id: host, tags: [], tokenHash: hashAgentToken(token), now: this.clock.now() })
      const agent = this.#agent(host, runnersPerHost, socket)
      this.agents.push(agent)
      const headers = { Authorization: `Bearer ${token.reveal()}` }
      this.#admit.set(agent, () => authorize({ type: 'REQUEST', methodArn: 'arn', headers }))
      void this.#connect(agent)
    }
    const sweep = sweepHandler(this.#sessionPorts(() => templates))
    const loop = controlLoopHandler(this.#loopParts(mode))
    this.#every(TICK_MS, 'sweep', () => sweep())
    this.#every(TICK_MS, 'control-loop', (beganMs) =>
      loop(
        {},
        {
          awsRequestId: `tick-${beganMs}`,
          getRemainingTimeInMillis: () => beganMs + this.#sizes.loopTimeoutMs - this.msNow,
        },
      ),
    )
  }

  #loopParts(mode: Mode): ControlLoopParts {
    const { clock } = this
    return {
      store: this.#store(),
      gateway: this.#gateway(),
      openSources: () => [this.#countedSource()],
      clock,
      random: this.#random,
      log: this.#log(),
      build: 'metered',
      mode,
      busyHours: null,
    }
  }

  #sessionPorts(templates: SessionPorts['templates']): SessionPorts & SweepPorts {
    return { store: this.#store(), gateway: this.#gateway(), templates, clock: this.clock, log: this.#log() }
  }

  #agent(host: HostId, runners: number, socket: SessionPorts): SimAgent {
    const agent: SimAgent = new SimAgent({
      host,
      clock: this.clock,
      sources: [this.source],
      capacity: { cpuMillis: 1_000 * runners, memoryMib: 512 * runners, runners },
      send: (from, message) => void this.#send(socket, from, message),
      beatMs: () => (agent.holding.length > 0 ? BEAT_MS.busy : BEAT_MS.idle),
    })
    return agent
  }

  /** The authorizer lets it in, the socket's function hears of it, and the agent says hello. */
  async #connect(agent: SimAgent): Promise<void> {
    await this.#invoke('agent-authorizer', async () => this.#admit.get(agent)?.())
    await this.#invoke('agent-socket', async () => undefined)
    agent.connect()
  }

  /** Reports that follow each other closely go in one message, as an agent sends them. */
  async #send(socket: SessionPorts, from: AgentConnection, message: AgentMessage): Promise<void> {
    if (message.type !== 'report') return this.#deliver(socket, from, message)
    const waiting = this.#reports.get(from.connection)
    const runners = new Map((waiting?.runners ?? []).map((seen) => [seen.runner, seen]))
    for (const seen of message.runners) runners.set(seen.runner, seen)
    this.#reports.set(from.connection, { ...message, runners: [...runners.values()] })
    if (waiting !== undefined) return
    await this.clock.sleep(REPORT_BATCH_MS)
    const batch = this.#reports.get(from.connection)
    this.#reports.delete(from.connection)
    if (batch !== undefined) await this.#deliver(socket, from, batch)
  }

  async #deliver(socket: SessionPorts, from: AgentConnection, message: AgentMessage): Promise<void> {
    this.#count({ socketMessages: 1 })
    await this.#invoke('agent-socket', () => takeAgentMessage(socket, from, message))
  }

  #gateway(): AgentGateway {
    return {
      post: async (connection, message: HubMessage) => {
        this.#count({ socketMessages: 1, gbOut: Buffer.byteLength(encodeHubMessage(message)) / GB })
        await this.clock.sleep(CALL_MS)
        const agent = this.agents.find((one) => one.connection === connection)
        agent?.receive(connection, message)
        return agent === undefined ? 'gone' : 'posted'
      },
      close: async () => {},
    }
  }

  /** The source, each of whose calls crosses the internet. */
  #countedSource(): DemandSource {
    const { source } = this
    const count = (): void => this.#count({ gbOut: SOURCE_CALL_BYTES / GB })
    return {
      id: source.id,
      authenticate: () => (count(), source.authenticate()),
      poll: (request, signal) => (count(), source.poll(request, signal)),
      mint: (request) => (count(), source.mint(request)),
      report: (reports) => (count(), source.report(reports)),
      reconcile: (observed) => (count(), source.reconcile(observed)),
    }
  }

  #store(): FleetStore {
    const client = dynamoClient(this.#emulator.url)
    this.#clients.push(client)
    this.#table.watch(client, this.#emulator.client, () => this.clock.sleep(CALL_MS))
    return createDynamoStore({ client, table: TABLE })
  }

  #log(): Log {
    const meter = new Meter(TABLE)
    return createLog((entry) => this.#takeLine(lineOf(entry, meter.take(entry))))
  }

  #takeLine(line: LogLine): void {
    const text = jsonLine(line)
    this.#count({ logGb: (text.length + 1) / GB })
    for (const [, list = ''] of text.matchAll(/"Metrics":\[(.*?)\]/g))
      for (const [, name = ''] of list.matchAll(/"Name":"(\w+)"/g)) this.metricsSent.add(name)
  }

  #every(ms: number, name: FunctionName, work: (beganMs: number) => Promise<unknown>): void {
    const again = async (): Promise<void> => {
      while (!this.#isOver) {
        this.#count({ schedulerInvocations: 1 })
        void this.#invoke(name, () => work(this.msNow))
        await this.clock.sleep(ms)
      }
    }
    void again()
  }

  /** One event of a function: billed for its time, by the memory that it has. */
  async #invoke(name: FunctionName, work: () => Promise<unknown>): Promise<void> {
    const beganMs = this.msNow
    const event = { beganMs }
    this.#underWay.add(event)
    try {
      await work()
      await this.clock.sleep(EVENT_MS)
    } catch (thrown) {
      if (!this.#isOver) this.failures.push(new Error(`${name} failed`, { cause: thrown }))
    } finally {
      this.#underWay.delete(event)
      const lambdaGbSeconds = this.#gbSeconds(beganMs)
      this.#count({ lambdaRequests: 1, lambdaGbSeconds, logGb: PLATFORM_LOG_BYTES / GB })
    }
  }

  #gbSeconds(beganMs: number): number {
    return ((this.msNow - beganMs) / 1_000) * (this.#sizes.memoryMb / 1_024)
  }

  #count(usage: Partial<Usage>): void {
    this.#usage = add(this.#usage, { ...NOTHING, ...usage })
  }

  /** Nothing is on its way to the database or back, and nothing else can go on. */
  async #settled(): Promise<void> {
    do await settle()
    while (this.#table.inFlight > 0)
    await settle()
    if (this.#table.inFlight > 0) await this.#settled()
  }
}
