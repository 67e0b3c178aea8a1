import { join } from 'node:path'
import { type EngineSettings, openAgent } from '../../agent/main.ts'
import { createAgent, type HostCaps } from '../../agent/index.ts'
import { type Engine, EngineError, type RunnerSpec } from '../../agent/engines/engine.ts'
import { parseSettings, parseTemplates } from '../../config/index.ts'
import { type HostId, hostId, type HostState, type Secret, sourceId } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { newAgentToken } from '../../platform/agent-token.ts'
import { systemClock, systemRandom } from '../../adapters/system/index.ts'
import { demoRunnerProgram } from '../../demo/program.ts'
import { type LocalHub, openLocalHub } from '../../local/hub.ts'
import { LOCAL_ADAPTERS, openDemandSource } from '../../local/adapters.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import { openPlace, type Place } from './support.ts'
import { EventRecorder } from '../support/event-recorder.ts'
import { eventually } from '../support/eventually.ts'

export interface SourceOf {
  readonly id: string
  readonly sandbox: Sandbox
  /** Where the hub finds it; runners always go to the sandbox itself. */
  readonly url: string
}

export interface FleetOptions {
  readonly sources: readonly SourceOf[]
  /** YAML. */
  readonly templates: string
  readonly hosts: readonly {
    readonly id: string
    readonly tags?: readonly string[]
    readonly caps?: HostCaps
  }[]
  readonly engine: 'docker' | 'process'
}

/** One hub and the agents of several hosts, in this process, on the engines of this machine. */
export class Fleet {
  readonly place: Place
  readonly hosts: ReadonlyMap<string, TestHost>
  readonly log: EventRecorder
  readonly #hub: LocalHub
  readonly #draining = new AbortController()
  readonly #running: Promise<void>

  static async open(options: FleetOptions): Promise<Fleet> {
    const place = await openPlace()
    const log = new EventRecorder()
    const hosts = options.hosts.map(({ id, tags = [], caps = {} }) => {
      return { id: hostId(id), tags, caps, token: newAgentToken(hostId(id)) }
    })
    const hub = await openLocalHub({
      stateDir: join(place.path, 'hub'),
      listenOn: { host: '127.0.0.1', port: 0 },
      templates: parseTemplates(options.templates, 'the templates of the test').templates,
      sources: options.sources.map((source) => openSourceOf(source, log)),
      hosts,
      build: 'test',
      log,
      adapters: LOCAL_ADAPTERS,
    })
    const made = hosts.map((host) => {
      const dataDir = join(place.path, host.id, 'agent')
      return new TestHost({ ...host, dataDir, engine: options.engine, hub, log })
    })
    const fleet = new Fleet(place, hub, made, log)
    await Promise.all(made.map((host) => host.start()))
    return fleet
  }

  private constructor(place: Place, hub: LocalHub, hosts: readonly TestHost[], log: EventRecorder) {
    this.place = place
    this.log = log
    this.hosts = new Map(hosts.map((host) => [host.id, host]))
    this.#hub = hub
    const stop = new AbortController().signal
    this.#running = hub.run({ drain: this.#draining.signal, stop, stayUntil: 'launched' })
  }

  get url(): string {
    return this.#hub.url
  }

  host(id: string): TestHost {
    const host = this.hosts.get(id)
    if (host === undefined) throw new Error(`There is no host ${id}.`)
    return host
  }

  /** On which host each finished runner of a template ran, by number of runners. */
  finishedOn(template: string): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { host, template: of, outcome } of this.log.events('runner.gone')) {
      if (of !== template || outcome !== 'finished') continue
      counts[host] = (counts[host] ?? 0) + 1
    }
    return counts
  }

  async close(): Promise<void> {
    this.#draining.abort()
    await this.#running
    await Promise.all([...this.hosts.values()].map((host) => host.stop()))
    await this.#hub.close()
    await this.place.close()
  }
}

function openSourceOf({ id, sandbox, url }: SourceOf, log: Log) {
  const { settings } = parseSettings({
    SHIPFOX_API_URL: url,
    SHIPFOX_PROVISIONER_TOKEN: sandbox.token.reveal(),
    SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'not read',
  })
  const address = { apiUrl: url, runnerApiUrl: sandbox.url, token: sandbox.token, protocol: 'auto' as const }
  return openDemandSource(settings, { ...address, id: sourceId(id) }, log)
}

interface HostParts {
  readonly id: HostId
  readonly token: Secret
  readonly caps: HostCaps
  readonly dataDir: string
  readonly engine: 'docker' | 'process'
  readonly hub: LocalHub
  readonly log: Log
}

/** A host of the fleet: its agent can be stopped and started, and its engine watched and spoiled. */
export class TestHost {
  readonly id: string
  /** Templates that this host's engine refuses to create a container for. */
  readonly refuses = new Set<string>()
  /** The most containers that were live at once: of each template, and `all`. */
  readonly peaks = new Map<string, number>()
  readonly #parts: HostParts
  #ending = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(parts: HostParts) {
    this.id = parts.id
    this.#parts = parts
  }

  peak(what: string): number {
    return this.peaks.get(what) ?? 0
  }

  async state(): Promise<HostState | undefined> {
    return (await this.#parts.hub.store.getHost(this.#parts.id))?.state
  }

  async start(): Promise<void> {
    this.#ending = new AbortController()
    this.#running = this.run(this.#parts.token, this.#ending.signal)
    this.#running.catch(() => {
      // Awaited by `stop`; until then the host just doesn't come online.
    })
    await eventually(`host ${this.id} is online`, async () => (await this.state()) === 'online')
  }

  /** Serves the host with this token until the signal aborts. */
  async run(token: Secret, signal: AbortSignal): Promise<void> {
    const { id, caps, dataDir, hub, log } = this.#parts
    const ports = { clock: systemClock, random: systemRandom, log }
    const settings = {
      host: id,
      dataDir,
      engine: this.#engineSettings(),
      caps,
      retention: { ms: 0, max: 0 },
      agentVersion: 'test',
    }
    const { install, engine } = await openAgent(settings, ports)
    const agent = createAgent({
      ...settings,
      ...ports,
      install,
      engine: this.#watched(engine),
      hubUrl: hub.url,
      token,
    })
    await agent.run(signal)
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  #engineSettings(): EngineSettings {
    if (this.#parts.engine === 'process') {
      const dir = join(this.#parts.dataDir, '..', 'processes')
      return { kind: 'process', dir, command: demoRunnerProgram(dir) }
    }
    const plain = { tls: null, network: null, extraHosts: [], logDriver: null, logOptions: {} }
    return { kind: 'docker', dockerHost: null, ...plain }
  }

  /** The real engine, with an eye on what is created, and refusals where the test asks for them. */
  #watched(engine: Engine): Engine {
    const create = async (spec: RunnerSpec): Promise<'created' | 'existed'> => {
      if (this.refuses.has(spec.origin.template)) {
        throw new EngineError('refused', `No container of template ${spec.origin.template} today.`)
      }
      const done = await engine.create(spec)
      await this.#measure(engine)
      return done
    }
    return new Proxy(engine, {
      get(target, name) {
        if (name === 'create') return create
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  async #measure(engine: Engine): Promise<void> {
    const live = (await engine.list()).filter(({ state }) => state === 'created' || state === 'running')
    const templates = live.map(({ origin }) => origin.template)
    for (const what of ['all', ...new Set(templates)]) {
      const count = what === 'all' ? live.length : templates.filter((one) => one === what).length
      this.peaks.set(what, Math.max(this.peak(what), count))
    }
  }
}
