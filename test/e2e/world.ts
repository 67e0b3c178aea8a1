import { join } from 'node:path'
import { Secret } from '../../core/model/index.ts'
import { ensureDemoImage } from '../../demo/image.ts'
import { type Job, type Sandbox, type SandboxEvent, startSandbox } from '../../sandbox/index.ts'
import { newToken } from '../../sandbox/rules/tokens.ts'
import { bridgeAddress } from '../../cli/start/bridge.ts'
import { type FaultProxy, startFaultProxy } from '../sandbox/fault-proxy.ts'
import { type Recorder, startRecorder } from './recorder.ts'
import { type Env, openPlace, type Place, type Starts, watchStarts } from './support.ts'
import { eventually } from '../support/eventually.ts'

export type Generation = 'v1' | 'v2'

/** The image of the demo runner, built from this machine's own parts where it is not there yet. */
export function demoImage(): Promise<string> {
  return ensureDemoImage(null, () => {})
}

/** Where a server of a test must listen, so that containers on the engine's bridge, and no others, reach it. */
export async function onBridge(): Promise<string> {
  const address = await bridgeAddress()
  if (address === null) throw new Error('The engine has no bridge.')
  return address
}

/** A template for each kind of job: a job of a kind fits no other template, and waits for no other's units. */
export function templatesOf(image: string, kinds: readonly string[]): string {
  const lines = kinds.map(
    (kind) =>
      `  ${kind}: { labels: [e2e, ${kind}], image: "${image}", cpu: 0.5, memory: 64MiB, max_concurrency: 50 }`,
  )
  return `templates:\n${lines.join('\n')}\n`
}

/**
 * A server of one generation as a stranger would have it: behind a path prefix, with its runners' address apart from
 * the provisioner's, and things going wrong in between on request.
 *
 *     slipway ──▶ front (prefix, remembers) ──▶ proxy (faults) ──▶ sandbox ◀── back (prefix, remembers) ◀── runners
 */
export class World {
  readonly generation: Generation
  readonly place: Place
  readonly events: SandboxEvent[] = []
  readonly starts: Starts
  readonly token = newToken('provisioner')
  #sandbox: Sandbox | null = null
  #front: Recorder | null = null
  #back: Recorder | null = null
  #proxy: FaultProxy | null = null

  static async open(generation: Generation): Promise<World> {
    const world = new World(generation, await openPlace(), await watchStarts())
    await world.startSandbox()
    world.#proxy = await startFaultProxy(world.sandbox.url)
    world.#front = await startRecorder(world.#proxy.url, '/some/prefix')
    world.#back = await startRecorder(world.sandbox.url, '/for/runners', await onBridge())
    return world
  }

  private constructor(generation: Generation, place: Place, starts: Starts) {
    this.generation = generation
    this.place = place
    this.starts = starts
  }

  get sandbox(): Sandbox {
    return opened(this.#sandbox)
  }

  get front(): Recorder {
    return opened(this.#front)
  }

  get back(): Recorder {
    return opened(this.#back)
  }

  get proxy(): FaultProxy {
    return opened(this.#proxy)
  }

  /** On the port that it had before, with the same token and data. */
  async startSandbox(): Promise<void> {
    this.#sandbox = await startSandbox({
      protocol: this.generation,
      dataDir: join(this.place.path, 'server'),
      host: await onBridge(),
      port: this.#sandbox?.port ?? 0,
      provisionerToken: new Secret(this.token.reveal()),
      onEvent: (event) => this.events.push(event),
    })
  }

  /** What a user would set, trailing slashes included. */
  env(templatesFile: string): Env {
    return {
      SHIPFOX_API_URL: `${this.front.url}/`,
      SHIPFOX_RUNNER_API_URL: `${this.back.url}/`,
      SHIPFOX_PROVISIONER_TOKEN: this.token.reveal(),
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: templatesFile,
      SLIPWAY_LOG: 'json',
    }
  }

  /** Queues a job of each kind; resolves with them once each has ended. */
  async runJobs(kinds: readonly string[], command: string): Promise<readonly Job[]> {
    return this.ended(this.queue(kinds, command))
  }

  queue(kinds: readonly string[], command: string): readonly Job[] {
    return this.sandbox.enqueue(
      kinds.map((kind) => ({ labels: ['e2e', kind], command: `${command}; echo $SLIPWAY_NONCE` })),
    )
  }

  async ended(jobs: readonly Job[]): Promise<readonly Job[]> {
    const what = `${jobs.length} jobs [${jobs[0]?.labels.join(', ')}] of ${this.generation} end`
    return eventually(what, () => {
      const now = this.now(jobs)
      return now.every(({ state }) => state !== 'queued' && state !== 'claimed') && now
    })
  }

  /** These jobs as they stand now. */
  now(jobs: readonly Job[]): readonly Job[] {
    const ids = new Set(jobs.map(({ id }) => id))
    return this.sandbox.jobs().filter(({ id }) => ids.has(id))
  }

  /** How often the engine started a container for a job of these kinds, and for how many runners. */
  async startCounts(...kinds: readonly string[]): Promise<{ starts: number; runners: number }> {
    const lists = (await this.place.installs()).map((install) => this.starts.of(install))
    const starts = lists.flat().filter(({ template }) => kinds.includes(template))
    return { starts: starts.length, runners: new Set(starts.map(({ runner }) => runner)).size }
  }

  async close(): Promise<void> {
    await this.place.close()
    this.starts.stop()
    await Promise.all([this.#front?.close(), this.#back?.close(), this.#proxy?.close()])
    await this.#sandbox?.close()
  }
}

function opened<T>(part: T | null): T {
  if (part === null) throw new Error('The world is not open.')
  return part
}

export function statesOf(jobs: readonly Job[]): readonly string[] {
  return jobs.map((job) =>
    job.state === 'finished' && !job.nonceSeen ? 'finished without nonce' : job.state,
  )
}
