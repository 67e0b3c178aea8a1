import Docker from 'dockerode'
import { expect, type TestContext } from 'vitest'
import type { Job } from '../../../sandbox/index.ts'
import { type Env, openPlace, type Place, type Run } from '../../e2e/support.ts'
import { eventually, type Look, PATIENCE_MS } from '../../support/eventually.ts'
import { demoImage } from '../../e2e/world.ts'
import { EngineGate } from './engine-gate.ts'
import { HttpProxy } from './http-proxy.ts'
import { HubState, type StoreKind } from './hub-state.ts'
import { Link } from './link.ts'
import { freePort, nodeLine, runIn } from './processes.ts'
import { isOver, Source } from './source.ts'
import { templatesFile } from './templates.ts'
import type { LineName, LineOf } from '../../support/log-lines.ts'

const AGENT_TOKEN = 'an-agent-token-for-this-scene-alone'
const MAIN_ENGINE = '/var/run/docker.sock'
/**
 * Longer than a reservation, since a unit that was granted just as its host went away comes back only after that, and
 * then as long as a runner tries to tell its result.
 */
/** A unit whose runner is lost on its way to its host comes back after this time. */
export const SHORT_RESERVATION_MS = 12_000
export const SHORT_RESERVATIONS: Env = {
  SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS: String(SHORT_RESERVATION_MS),
}

export interface SceneOptions {
  readonly generation?: 'v1' | 'v2'
  /** A template of each, for jobs with its label. */
  readonly kinds: readonly string[]
  /** More templates, YAML. */
  readonly templates?: string
  readonly engine?: { readonly socket: string; readonly docker: Docker; readonly image: string }
  /** How long the source waits for a job whose runner fell silent. */
  readonly jobLeaseMs?: number
  /** What the hub keeps its records in. */
  readonly store?: StoreKind
  readonly env?: Env
}

/**
 * All of Slipway on this machine, each part a process, with a place for faults on every way between them:
 *
 *     source ◀──api── hub ◀──link── agent ──gate──▶ engine
 */
export class Scene {
  readonly place: Place
  readonly docker: Docker
  readonly source: Source
  readonly api: HttpProxy
  readonly link: Link
  readonly gate: EngineGate
  readonly state: HubState
  /** Every run of the hub and of the agent, oldest first. */
  readonly hubs: Run[] = []
  readonly agents: Run[] = []
  readonly #env: Env
  readonly #store: StoreKind

  static async open(options: SceneOptions): Promise<Scene> {
    const place = await openPlace()
    try {
      const engine = options.engine ?? {
        socket: MAIN_ENGINE,
        docker: new Docker({ socketPath: MAIN_ENGINE }),
        image: await demoImage(),
      }
      const { generation = 'v2', jobLeaseMs = 60_000 } = options
      const source = await Source.start(place, { generation, jobLeaseMs })
      const { hostname, port } = new URL(source.url)
      const api = await HttpProxy.open({
        target: { host: hostname, port },
        listenOn: { host: '127.0.0.1' },
      })
      const hubPort = await freePort()
      const link = await Link.open(hubPort)
      const gate = await EngineGate.open(place.path, engine.socket)
      const file = templatesFile(engine.image, options.kinds, options.templates)
      const templates = await place.write('templates.yaml', file)
      const env = {
        SHIPFOX_API_URL: `http://127.0.0.1:${api.port}`,
        SHIPFOX_RUNNER_API_URL: source.url,
        SHIPFOX_PROVISIONER_TOKEN: source.token,
        SHIPFOX_PROVISIONER_TEMPLATES_FILE: templates,
        SHIPFOX_PROVISIONER_DOCKER_HOST: gate.address,
        SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS: '0',
        // Longer than a start takes on a busy machine: a unit that outlives its reservation is granted once more.
        SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS: '60000',
        // A runner whose job another one took leaves after this time.
        SHIPFOX_RUNNER_POLL_MAX_DURATION_MS: '12000',
        SLIPWAY_LOCAL_AGENT_TOKEN: AGENT_TOKEN,
        SLIPWAY_AGENT_TOKEN: AGENT_TOKEN,
        SLIPWAY_HUB_PORT: String(hubPort),
        SLIPWAY_HUB_URL: link.url,
        SLIPWAY_LOG: 'json',
        ...options.env,
      }
      const { store = 'SQLite' } = options
      return new Scene({ place, docker: engine.docker, source, api, link, gate }, env, store)
    } catch (thrown) {
      await place.close()
      throw thrown
    }
  }

  /** With its hub and its agent at work, until the test is over: tests mostly wait, and may do so side by side. */
  static async begin({ onTestFinished }: TestContext, options: SceneOptions): Promise<Scene> {
    const scene = await Scene.open(options)
    onTestFinished(() => scene.close())
    await scene.startHub()
    await scene.startAgent()
    return scene
  }

  private constructor(
    parts: Pick<Scene, 'place' | 'docker' | 'source' | 'api' | 'link' | 'gate'>,
    env: Env,
    store: StoreKind,
  ) {
    this.place = parts.place
    this.docker = parts.docker
    this.source = parts.source
    this.api = parts.api
    this.link = parts.link
    this.gate = parts.gate
    this.state = new HubState(this.place.stateDir, store)
    this.#env = env
    this.#store = store
  }

  get hub(): Run {
    return newest(this.hubs)
  }

  get agent(): Run {
    return newest(this.agents)
  }

  async startHub(): Promise<void> {
    const hub = this.launchHub()
    this.hubs.push(hub)
    await hub.until('the hub plans', () => hub.events('hub.listening')[0] && hub.events('lease.taken')[0])
  }

  launchHub(): Run {
    if (this.#store === 'SQLite') return this.place.slipway(['hub'], this.#env)
    const [, ...line] = nodeLine('../../support/dynamodb-emulator/hub.ts')
    return this.place.node(line, this.#env)
  }

  /** Resolves once the hub can place runners on it. */
  async startAgent(): Promise<void> {
    const before = this.onlineCount()
    this.launchAgent()
    await this.agent.until('the host is online', () => this.onlineCount() > before)
  }

  /** Starts an agent, by way of another program's command line where that is given. */
  launchAgent(env: Env = {}, through: readonly string[] = []): Run {
    const line = [...through, ...nodeLine('../../../bin/slipway.ts', 'agent')]
    const run = runIn(this.place, line, { ...this.#env, ...env })
    this.agents.push(run)
    return run
  }

  async killHub(): Promise<void> {
    this.hub.signal('SIGKILL')
    await this.hub.end()
  }

  async killAgent(): Promise<void> {
    this.agent.signal('SIGKILL')
    await this.agent.end()
  }

  /** How often the host has come online so far, over all runs of the hub. */
  onlineCount(): number {
    return this.hubs.reduce((sum, hub) => sum + hub.events('host.online').length, 0)
  }

  /** The hub's events of that name, over all of its runs. */
  hubEvents<Name extends LineName>(name: Name): readonly LineOf<Name>[] {
    return this.hubs.flatMap((hub) => hub.events(name))
  }

  agentEvents<Name extends LineName>(name: Name): readonly LineOf<Name>[] {
    return this.agents.flatMap((agent) => agent.events(name))
  }

  /* ── jobs ──────────────────────────────────────────────────────────────────────────────────────────── */

  async queue(kinds: readonly string[], command = 'sleep 1'): Promise<readonly Job[]> {
    return this.source.queue(kinds, command)
  }

  async now(jobs: readonly Job[]): Promise<readonly Job[]> {
    const ids = new Set(jobs.map(({ id }) => id))
    return (await this.source.look()).jobs.filter(({ id }) => ids.has(id))
  }

  /** These jobs' states once none of them waits or runs. */
  async ended(jobs: readonly Job[]): Promise<readonly string[]> {
    return this.until(`the jobs [${jobs.map(({ labels }) => labels.join(' ')).join(', ')}] end`, async () => {
      const now = await this.now(jobs)
      return now.every(isOver) && now.map(formatState)
    })
  }

  async running(jobs: readonly Job[]): Promise<void> {
    await this.until('the jobs run', async () =>
      (await this.now(jobs)).every(({ state }) => state === 'claimed'),
    )
  }

  /** As `eventually`, and shows what hub and agent said last. */
  async until<T>(what: string, look: Look<T>, withinMs = PATIENCE_MS): Promise<T> {
    return eventually(what, look, { withinMs }).catch(async (cause: unknown) => {
      const tails = [this.hubs.at(-1), this.agents.at(-1)].map((run) => run?.output.slice(-4_000))
      const held = await this.state.held().catch(String)
      const left = await this.containers().catch(() => [])
      const names = left.map(({ Names, Status }) => `${Names.join()} ${Status}`)
      throw new Error(
        `${String(cause)}\nheld: ${String(held)}\ncontainers: ${names.join()}\nhub:\n${tails[0]}\nagent:\n${tails[1]}`,
        { cause },
      )
    })
  }

  /* ── the end ───────────────────────────────────────────────────────────────────────────────────────── */

  async containers(): Promise<readonly Docker.ContainerInfo[]> {
    const labels = (await this.place.installs()).map((install) => `slipway.install=${install}`)
    const lists = await Promise.all(
      labels.map((label) => this.docker.listContainers({ all: true, filters: { label: [label] } })),
    )
    return lists.flat()
  }

  /**
   * What must hold after every fault: nothing is left anywhere, each job was claimed at most once and ended exactly
   * once, and no token or container was started twice. `unlearned`: mints whose answers were lost, so that the source
   * alone knows of them, until it declares them lost by itself.
   */
  async expectSettled({ unlearned = 0, withinMs = PATIENCE_MS } = {}): Promise<void> {
    await this.until(
      'every job has ended',
      async () => (await this.source.look()).jobs.every(isOver),
      withinMs,
    )
    await this.until('no container is left', async () => (await this.containers()).length === 0, withinMs)
    await this.until('the hub holds nothing', async () => (await this.state.held()).length === 0, withinMs)
    await this.until(
      'the source knows no live runner',
      async () => (await this.source.look()).stats.activeRunners <= unlearned,
      withinMs,
    )
    expect(await this.source.oddities()).toEqual([])
    expect(this.gate.doubles).toEqual([])
    expect(this.agentEvents('agent.task-failed')).toEqual([])
    expect(this.hubEvents('audit.violation')).toEqual([])
    expect(this.hubEvents('hub.loop-failed')).toEqual([])
    const secrets = [...this.hubs, ...this.agents].filter(({ output }) =>
      /\bsf_[a-z]+_[\w-]{43}/.test(output),
    )
    expect(secrets.length, 'runs that printed a token').toBe(0)
  }

  async close(): Promise<void> {
    await this.state.close()
    for (const { Id } of await this.containers()) await removeContainer(this.docker, Id)
    await this.place.close()
    await Promise.all([this.api.close(), this.link.close(), this.gate.proxy.close()])
  }
}

function newest(runs: readonly Run[]): Run {
  const last = runs.at(-1)
  if (last === undefined) throw new Error('It has not been started.')
  return last
}

export function formatState(job: Job): string {
  return job.state === 'finished' && !job.nonceSeen ? 'finished without nonce' : job.state
}

async function removeContainer(docker: Docker, id: string): Promise<void> {
  await docker
    .getContainer(id)
    .remove({ force: true, v: true })
    .catch((thrown: { statusCode?: number }) => {
      if (thrown.statusCode !== 404 && thrown.statusCode !== 409) throw thrown
    })
}
