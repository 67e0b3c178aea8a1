import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { inspect } from 'node:util'
import {
  hostId,
  newRunnerId,
  Secret,
  sourceId,
  templateKey,
  type LaunchOrder,
  type LogEventName,
  type RunnerId,
  type RunnerOrigin,
} from '../../core/model/index.ts'
import { createAgent, type AgentOptions } from '../../agent/index.ts'
import { eventually } from '../support/eventually.ts'
import { FastClock } from '../support/fast-clock.ts'
import { MemoryEngine } from '../support/memory-engine.ts'
import { ScriptedHub } from './scripted-hub.ts'
import { type EventOf, EventRecorder } from '../support/event-recorder.ts'

export const ORIGIN: RunnerOrigin = {
  template: templateKey('small'),
  source: sourceId('demo'),
  labels: ['linux'],
  reservation: 'r-1',
  cpuMillis: 1_000,
  memoryMib: 512,
}

export function newRunner(): RunnerId {
  return newRunnerId(Date.now(), randomBytes(10))
}

export function order(runner: RunnerId = newRunner(), changes: Partial<LaunchOrder> = {}): LaunchOrder {
  return {
    runner,
    origin: ORIGIN,
    image: 'image:1',
    pull: { kind: 'if-not-present' },
    isolation: 'runc',
    env: { PLAIN: 'value' },
    secretEnv: { TOKEN: new Secret(`canary-${runner}`) },
    // In the agent's fast time, so real seconds for a busy machine.
    expiresInMs: 600_000,
    startDeadlineMs: 1_200_000,
    maxLifetimeMs: 3_600_000,
    stopTimeoutMs: 1_000,
    ...changes,
  }
}

/** One host: an engine and a data folder that outlive its agents, and a hub. */
export class World {
  readonly engine = new MemoryEngine()
  readonly clock: FastClock
  readonly dataDir = mkdtempSync(join(tmpdir(), 'agent-'))
  readonly log = new EventRecorder()
  hub: ScriptedHub
  retention = { ms: 3_600_000, max: 0 }
  caps: AgentOptions['caps'] = {}
  #stopping: AbortController | null = null
  #epochBefore = 0
  running: Promise<void> | null = null
  failure: unknown = null

  private constructor(hub: ScriptedHub, speed: number) {
    this.hub = hub
    this.clock = new FastClock(speed)
    this.engine.now = () => this.clock.now()
  }

  /** `speed`: how much faster than real time the agent's clock goes. */
  static async open(speed = 20): Promise<World> {
    return new World(await ScriptedHub.start(), speed)
  }

  startAgent(options: Partial<AgentOptions> = {}): void {
    const stopping = new AbortController()
    this.#stopping = stopping
    this.failure = null
    this.#epochBefore = this.hub.epoch
    const agent = createAgent({
      host: hostId('host-1'),
      hubUrl: this.hub.url,
      token: new Secret('agent-token-canary'),
      engine: this.engine,
      install: 'f'.repeat(32),
      dataDir: this.dataDir,
      caps: this.caps,
      retention: this.retention,
      clock: this.clock,
      random: { unit: Math.random, bytes: (count) => randomBytes(count) },
      log: this.log,
      agentVersion: '0.0.0-test',
      ...options,
    })
    this.running = agent.run(stopping.signal).catch((error: unknown) => {
      this.failure = error
    })
  }

  async stopAgent(): Promise<void> {
    this.#stopping?.abort()
    await this.running
    await eventually('the hub sees it go', () => this.hub.sockets.size === 0)
  }

  /** For an agent that is cut off from everything: it is not waited for. */
  async stopAgentAbruptly(): Promise<void> {
    this.#stopping?.abort()
    this.hub.cut()
    await eventually('the hub sees it go', () => this.hub.sockets.size === 0)
  }

  async connected(): Promise<void> {
    await eventually('a complete snapshot', () => this.hub.epoch > this.#epochBefore && this.hub.synced)
    await eventually('the log says so', () => this.events('agent.connected').at(-1)?.epoch === this.hub.epoch)
  }

  async started(options: Partial<AgentOptions> = {}): Promise<void> {
    this.startAgent(options)
    await this.connected()
  }

  async phase(runner: RunnerId, phase: string): Promise<void> {
    await eventually(
      `${runner} ${phase}, is ${this.hub.phaseOf(runner)}`,
      () => this.hub.phaseOf(runner) === phase,
    )
  }

  async cleared(runner: RunnerId): Promise<void> {
    await eventually(`${runner} cleared`, () => this.hub.runners.get(runner)?.cleared === true)
  }

  async launched(changes: Partial<LaunchOrder> = {}): Promise<RunnerId> {
    const launch = order(newRunner(), changes)
    this.hub.launch([launch])
    await this.phase(launch.runner, 'running')
    return launch.runner
  }

  events<Name extends LogEventName>(name: Name): readonly EventOf<Name>[] {
    return this.log.events(name)
  }

  /** Everything that the agent left anywhere but in messages. */
  traces(): string {
    const files = readdirSync(this.dataDir).map((name) => join(this.dataDir, name))
    const written = files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, 'utf8'))
    return [
      ...written,
      inspect(this.log.all, { depth: 10, maxStringLength: null, maxArrayLength: null }),
    ].join('\n')
  }

  async close(): Promise<void> {
    await this.stopAgent()
    await this.hub.stop()
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}
