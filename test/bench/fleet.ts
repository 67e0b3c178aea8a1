import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parseSettings } from '../../config/index.ts'
import { LOCAL_HOST, type LogEventName } from '../../core/model/index.ts'
import { newAgentToken } from '../../platform/agent-token.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import { Closers } from '../../local/closers.ts'
import { type OpenedSource, openSource } from '../../cli/start/source.ts'
import type { Bench, Generation, Shape } from './bench.ts'
import type { Watched } from './engine-watch.ts'
import { type ProcessPlan, SlipwayProcess } from './slipway-process.ts'
import type { LineOf } from '../support/log-lines.ts'
import { eventually, pause } from '../support/eventually.ts'

/** What a runner of the benchmark asks for: a whole vCPU, so that its limit slows nothing down. */
export const RUNNER = { cpuMillis: 1000, memoryMib: 64, labels: ['bench'], template: 'bench' } as const
const ONLINE_MAX_MS = 60_000
/** A job does next to nothing: the benchmark is about the time before and after it. */
const JOB = { labels: RUNNER.labels, command: 'echo $SLIPWAY_NONCE' }

export interface FleetPlan {
  readonly protocol: Generation
  readonly shape: Shape
  /** Most runners at once; null = as many as there is memory for. */
  readonly runnersMax: number | null
  /** The file of the agent's bundle; without it the agent runs from its sources. Only in shape `apart`. */
  readonly agentBundle?: string
}

/** A sandbox source in this process, and Slipway with one host in processes of its own. */
export class Fleet {
  readonly bench: Bench
  readonly plan: FleetPlan
  readonly source: OpenedSource
  readonly sandbox: Sandbox
  /** The engine's `FinishedAt` of each ended runner, epoch ms. */
  readonly finishedAt = new Map<string, number>()
  /** Launches that the hub has noted as sent, since the fleet was opened. */
  launchesSent = 0
  readonly #folder: string
  readonly #hubPort: number
  readonly #token = newAgentToken(LOCAL_HOST).reveal()
  readonly #closers = new Closers()
  #processes: { hub: SlipwayProcess; agent: SlipwayProcess } | null = null
  #install = ''
  #isOnline = false

  /** Resolves once the host can take jobs. */
  static async open(bench: Bench, plan: FleetPlan): Promise<Fleet> {
    const folder = await mkdtemp(join(bench.folder, 'f-'))
    const { settings } = parseSettings({ SLIPWAY_STATE_DIR: join(folder, 'source') })
    const source = await openSource(settings, {
      protocol: plan.protocol,
      inContainers: true,
      onEvent: (event) => {
        if (event.type === 'request.failed')
          bench.say(`sandbox  ${event.method} ${event.path}: ${event.reason}`)
      },
    })
    if (source.sandbox === null) throw new Error('The sandbox did not open.')
    const fleet = new Fleet(bench, plan, source, source.sandbox, folder, await freePort())
    bench.closers.add(() => fleet.close())
    await writeFile(join(folder, 'templates.yaml'), templates(bench.image))
    await fleet.#start()
    return fleet
  }

  private constructor(
    bench: Bench,
    plan: FleetPlan,
    source: OpenedSource,
    sandbox: Sandbox,
    folder: string,
    hubPort: number,
  ) {
    this.bench = bench
    this.plan = plan
    this.source = source
    this.sandbox = sandbox
    this.#folder = folder
    this.#hubPort = hubPort
    this.#closers.add(() => source.close())
  }

  /** The same process in one shape, two in the other. */
  get hub(): SlipwayProcess {
    return this.#running().hub
  }

  get agent(): SlipwayProcess {
    return this.#running().agent
  }

  /** Every container that this fleet ever started, in the order of their starts. */
  containers(): readonly Watched[] {
    this.hub.assertRunning()
    this.agent.assertRunning()
    return this.bench.watch.of(this.#install)
  }

  /** What Slipway's processes have used so far. */
  async cpuSeconds(): Promise<number> {
    const used = await Promise.all([...new Set([this.hub, this.agent])].map((one) => one.cpuSeconds()))
    return used.reduce((sum, seconds) => sum + seconds, 0)
  }

  /** Queues jobs at one instant; resolves with that, epoch ms. */
  queue(count: number): number {
    const [first] = this.sandbox.enqueue(Array.from({ length: count }, () => JOB))
    if (first === undefined) throw new Error('No job was queued.')
    return first.queuedAt
  }

  /** Ends the hub as a crash would, and starts it again at once. */
  async crashHub(): Promise<void> {
    const { hub, agent } = this.#running()
    if (hub === agent) throw new Error('The hub is no process of its own.')
    await hub.kill()
    this.#processes = { hub: this.#spawn({ args: ['hub'] }), agent }
  }

  async close(): Promise<void> {
    const processes = this.#processes
    this.#processes = null
    const { aborted } = this.bench.signal
    for (const running of new Set(processes === null ? [] : [processes.agent, processes.hub]))
      await (aborted ? running.kill() : running.stop())
    await this.#closers.close()
  }

  #running(): { hub: SlipwayProcess; agent: SlipwayProcess } {
    if (this.#processes === null) throw new Error('The fleet is closed.')
    return this.#processes
  }

  async #start(): Promise<void> {
    const { signal } = this.bench
    const { shape, agentBundle } = this.plan
    const hub = this.#spawn({ args: [shape === 'together' ? 'start' : 'hub'] })
    this.#processes = { hub, agent: hub }
    if (shape === 'apart') {
      // An agent that finds no hub waits before it tries again.
      await eventually('the hub listens', () => this.#isListening(hub), { withinMs: ONLINE_MAX_MS, signal })
      const agent = agentBundle === undefined ? { args: ['agent'] } : { program: agentBundle, args: [] }
      this.#processes = { hub, agent: this.#spawn(agent) }
    }
    await eventually(
      'the host is online',
      () => {
        this.#running().agent.assertRunning()
        hub.assertRunning()
        return this.#isOnline
      },
      { withinMs: ONLINE_MAX_MS, signal },
    ).catch((cause: unknown) => {
      throw new Error(`The host is not online.\n${hub.tail}`, { cause })
    })
    const install = await readFile(join(this.#folder, 'slipway', 'agent', 'install'), 'utf8')
    this.#install = install.split(' ')[0] ?? ''
    await pause(1_000, signal)
  }

  #isListening(hub: SlipwayProcess): boolean {
    hub.assertRunning()
    return hub.tail.includes('"hub.listening"')
  }

  #spawn(what: Pick<ProcessPlan, 'program' | 'args'>): SlipwayProcess {
    const { address, extraHosts } = this.source
    const { profiles, logs, roomyAddress } = this.bench
    const env = {
      SHIPFOX_API_URL: address.apiUrl,
      SHIPFOX_RUNNER_API_URL: address.runnerApiUrl,
      SHIPFOX_PROVISIONER_TOKEN: address.token.reveal(),
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: join(this.#folder, 'templates.yaml'),
      SHIPFOX_PROVISIONER_DOCKER_EXTRA_HOSTS: extraHosts.join(','),
      SLIPWAY_STATE_DIR: join(this.#folder, 'slipway'),
      SLIPWAY_HUB_PORT: String(this.#hubPort),
      SLIPWAY_LOCAL_AGENT_TOKEN: this.#token,
      SLIPWAY_HUB_URL: `ws://127.0.0.1:${this.#hubPort}`,
      SLIPWAY_AGENT_TOKEN: this.#token,
      SLIPWAY_HOST_MAX_RUNNERS: this.plan.runnersMax === null ? '' : String(this.plan.runnersMax),
      SLIPWAY_ENGINE: 'docker',
      DOCKER_HOST: roomyAddress,
    }
    const onEvent = (line: LineOf<LogEventName>): void => this.#note(line)
    return new SlipwayProcess({ ...what, env, folder: this.#folder, profiles, logs, onEvent })
  }

  #note(line: LineOf<LogEventName>): void {
    if (line.event === 'host.online') this.#isOnline = true
    if (line.event === 'runner.dispatched') this.launchesSent += 1
    if (line.event === 'runner.exited') this.finishedAt.set(line.runner, line.finishedAt)
  }
}

function templates(image: string): string {
  const { template, labels, cpuMillis, memoryMib } = RUNNER
  return `templates:
  ${template}:
    labels: [${labels.join(', ')}]
    image: "${image}"
    cpu: ${cpuMillis / 1000}
    memory: ${memoryMib}MiB
    max_concurrency: 500
    max_lifetime: 15m
`
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  await new Promise((resolve) => server.close(resolve))
  return port
}
