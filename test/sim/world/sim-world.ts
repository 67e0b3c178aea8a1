import { createMemoryStore } from '../../../adapters/memory/index.ts'
import {
  endAgentSession,
  runControlLoop,
  type SessionPorts,
  type SweepPorts,
  sweep,
  takeAgentMessage,
} from '../../../core/flows/index.ts'
import {
  type AgentConnection,
  type AgentMessage,
  type ConnectionId,
  type HostCapacity,
  type HostId,
  hostId,
  type LogEvent,
  type LogEventName,
  SlipwayError,
  type Template,
} from '../../../core/model/index.ts'
import type { AgentGateway, Clock, DemandSource, FleetStore, Log } from '../../../core/ports/index.ts'
import { Life, type Lives } from './mortal.ts'
import { SimAgent } from './sim-agent.ts'
import { SimClock, SimRandom } from './sim-clock.ts'
import { SimSource } from './sim-source.ts'
import { InvariantChecker } from '../invariants/checker.ts'
import { type EventOf, eventsOf } from '../../support/event-recorder.ts'
import { template } from '../../support/template.ts'

/** `by`: the invocation that logged it, where one did. */
export type SimEvent = LogEvent & { readonly by?: string }

export interface SimHub {
  readonly end: () => string | null
  readonly drain: () => void
  readonly stop: () => void
}

/** A fleet in virtual time: real flows, a real (memory) store, and the two ends that can't be here. */
export class SimWorld {
  readonly clock = new SimClock()
  readonly random: SimRandom
  readonly store: FleetStore
  readonly sources: readonly SimSource[]
  readonly agents = new Map<HostId, SimAgent>()
  readonly events: SimEvent[] = []
  templates: readonly Template[] = [template('small')]
  readonly failures: unknown[] = []
  readonly log: Log
  readonly checker = new InvariantChecker(this)
  /** The lives of the functions that take one message of an agent each; null: all of them end well. */
  handlers: Lives | null = null
  /** A message whose handler was killed is handed over once more this much later; null: only its agent repeats it. */
  againAfterMs: number | null = null
  #tokens = 0

  constructor(
    seed = 1,
    sources: readonly string[] = ['sim'],
    wrapStore: (store: FleetStore) => FleetStore = (store) => store,
  ) {
    this.random = new SimRandom(seed)
    this.store = wrapStore(this.checker.watch(createMemoryStore()))
    this.sources = sources.map((name) => new SimSource(this.clock, name, this.checker))
    this.log = { emit: (event) => this.take(event) }
  }

  get source(): SimSource {
    const [first] = this.sources
    if (first === undefined) throw new SlipwayError('sim', 'There is no source.')
    return first
  }

  async addHost(name: string, capacity: Partial<HostCapacity> = {}): Promise<SimAgent> {
    const host = hostId(name)
    await this.store.addHost({
      id: host,
      tags: [],
      tokenHash: `hash-${this.#tokens++}`,
      now: this.clock.now(),
    })
    const agent = new SimAgent({
      host,
      clock: this.clock,
      sources: this.sources,
      capacity: { cpuMillis: 100_000, memoryMib: 100_000, runners: 10, ...capacity },
      send: (from, message) => void this.#deliver(from, message),
      checker: this.checker,
    })
    this.agents.set(host, agent)
    return agent
  }

  /** A handler's ports, of one life; its messages to agents arrive a little later. */
  session(life: Life = new Life(), of: HostId | null = null): SessionPorts & SweepPorts {
    const store = of === null ? this.store : this.checker.onlyOf(of, this.store)
    return {
      store: life.limit(store),
      gateway: life.limit(this.gateway()),
      templates: () => this.templates,
      clock: this.clock,
      log: this.log,
    }
  }

  gateway(): AgentGateway {
    return {
      post: async (connection, message) => {
        await this.clock.sleep(2)
        const agent = this.#agentOf(connection)
        if (agent === undefined) return 'gone'
        this.checker.posts(agent.host, message)
        agent.receive(connection, message)
        return 'posted'
      },
      close: async () => {},
    }
  }

  async disconnect(agent: SimAgent, options: { told: boolean }): Promise<void> {
    const { connection } = agent
    agent.connection = null
    agent.online = false
    if (connection === null || !options.told) return
    const life = this.handlers?.one() ?? new Life()
    const ends = endAgentSession(this.session(life, agent.host), { host: agent.host, connection })
    await Promise.race([ends, life.over])
  }

  startHub(parts: {
    holder: string
    store?: FleetStore
    gateway?: AgentGateway
    sources?: readonly DemandSource[]
    build?: string
    clock?: Clock
    refreshTemplates?: () => Promise<boolean>
  }): SimHub {
    const drain = new AbortController()
    const stop = new AbortController()
    let end: string | null = null
    const hub = {
      store: parts.store ?? this.store,
      gateway: parts.gateway ?? this.gateway(),
      sources: parts.sources ?? this.sources,
      templates: () => this.templates,
      templatesInForce: { problem: null, refresh: parts.refreshTemplates ?? (async () => false) },
      clock: parts.clock ?? this.clock,
      random: this.random,
      log: this.log,
    }
    const run = {
      holder: parts.holder,
      build: parts.build ?? '1',
      drain: drain.signal,
      stop: stop.signal,
      stayUntil: 'ended' as const,
    }
    const live = async (): Promise<void> => {
      try {
        end = await runControlLoop(hub, run)
      } catch (thrown) {
        end = `failed: ${String(thrown)}`
        this.failures.push(thrown)
      }
    }
    void live()
    return { end: () => end, drain: () => drain.abort(), stop: () => stop.abort() }
  }

  /** One sweep; with `lives`, one that may be killed: then it resolves there and then. */
  async sweep(lives: Lives | null = null): Promise<void> {
    const life = lives?.one() ?? new Life()
    await Promise.race([sweep(this.session(life)), life.over])
  }

  take(event: SimEvent): void {
    this.events.push(event)
    this.checker.says(event)
  }

  eventsOf<Name extends LogEventName>(name: Name): readonly EventOf<Name>[] {
    return eventsOf(this.events, name)
  }

  count(name: LogEventName): number {
    return this.eventsOf(name).length
  }

  #agentOf(connection: ConnectionId): SimAgent | undefined {
    return [...this.agents.values()].find((agent) => agent.connection === connection)
  }

  async #deliver(from: AgentConnection, message: AgentMessage): Promise<void> {
    const life = this.handlers?.one() ?? new Life()
    try {
      const takes = takeAgentMessage(this.session(life, from.host), from, message)
      await Promise.race([takes, life.over])
      if (!life.stopped || this.againAfterMs === null) return
      await this.clock.sleep(this.againAfterMs)
      await takeAgentMessage(this.session(new Life(), from.host), from, message)
    } catch (thrown) {
      this.failures.push(thrown)
    }
  }
}
