import type { RunnerId, RunnerOrigin } from '../../core/model/index.ts'
import {
  EngineError,
  type Engine,
  type EngineEvent,
  type EngineFacts,
  type EngineRunner,
  type RunnerSpec,
} from '../../agent/engines/engine.ts'

type Call = { readonly method: keyof Engine; readonly runner: RunnerId | null }
interface Container {
  seen: EngineRunner
  readonly secrets: readonly string[]
  starts: number
  log: string
}
type Handlers = { onOpen: () => void; onEvent: (event: EngineEvent) => void }

/**
 * An engine without containers, for tests. It outlives the agents that use it, counts the starts of each secret, and
 * does what `around` says at each call: delay it, fail it before or after its effect, or never answer.
 */
export class MemoryEngine implements Engine {
  readonly containers = new Map<RunnerId, Container>()
  readonly calls: Call[] = []
  /** How often a container with this secret was started. */
  readonly startsBySecret = new Map<string, number>()
  readonly images = new Set(['image:1'])
  reachable = true
  /** Its event stream is open and says nothing. */
  deaf = false
  facts: EngineFacts = {
    kind: 'docker',
    version: 'memory',
    bootId: 'boot-1',
    capacity: { cpuMillis: 64_000, memoryMib: 262_144 },
    isolations: ['runc'],
    storage: null,
  }
  around: (call: Call, effect: () => Promise<unknown>) => Promise<unknown> = async (_call, effect) => effect()
  now: () => number = () => Date.now()
  pulls = 0
  readonly #streams = new Set<{ handlers: Handlers; end: (error: Error | null) => void }>()

  async #call<T>(method: keyof Engine, runner: RunnerId | null, effect: () => T | Promise<T>): Promise<T> {
    const call = { method, runner }
    this.calls.push(call)
    await Promise.resolve()
    if (!this.reachable) throw new EngineError('unreachable', 'connect ECONNREFUSED')
    return (await this.around(call, async () => effect())) as T
  }

  callsOf(...methods: (keyof Engine)[]): Call[] {
    return this.calls.filter(({ method }) => methods.includes(method))
  }

  describe(): Promise<EngineFacts> {
    return this.#call('describe', null, () => this.facts)
  }

  list(): Promise<readonly EngineRunner[]> {
    return this.#call('list', null, () => [...this.containers.values()].map(({ seen }) => seen))
  }

  inspect(runner: RunnerId): Promise<EngineRunner | null> {
    return this.#call('inspect', runner, () => this.containers.get(runner)?.seen ?? null)
  }

  create(spec: RunnerSpec): Promise<'created' | 'existed'> {
    return this.#call('create', spec.runner, () => {
      if (this.containers.has(spec.runner)) return 'existed'
      if (!this.images.has(spec.image)) throw new EngineError('not-found', `No such image: ${spec.image}`)
      this.place(spec.runner, spec.origin, {
        startDeadlineMs: spec.startDeadlineMs,
        maxLifetimeMs: spec.maxLifetimeMs,
        stopTimeoutMs: spec.stopTimeoutMs,
      })
      const secrets = Object.values(spec.secretEnv).map((secret) => secret.reveal())
      this.containers.set(spec.runner, { ...this.#get(spec.runner), secrets })
      return 'created'
    })
  }

  /** A container that stands there already, as after a crash. */
  place(runner: RunnerId, origin: RunnerOrigin, facts: Partial<EngineRunner> = {}): void {
    const seen: EngineRunner = {
      runner,
      origin,
      state: 'created',
      createdAt: this.now(),
      startedAt: null,
      finishedAt: null,
      exitCode: null,
      oomKilled: false,
      error: null,
      startDeadlineMs: 60_000,
      maxLifetimeMs: 3_600_000,
      stopTimeoutMs: 10_000,
      ...facts,
    }
    this.containers.set(runner, { seen, secrets: [], starts: 0, log: `log of ${runner}\n` })
  }

  start(runner: RunnerId): Promise<EngineRunner> {
    return this.#call('start', runner, () => {
      const container = this.#get(runner)
      if (container.seen.state !== 'created') return container.seen
      container.starts += 1
      for (const secret of container.secrets) {
        this.startsBySecret.set(secret, (this.startsBySecret.get(secret) ?? 0) + 1)
      }
      container.seen = { ...container.seen, state: 'running', startedAt: this.now() }
      this.emit({ runner, kind: 'started' })
      return container.seen
    })
  }

  stop(runner: RunnerId, _graceMs: number): Promise<void> {
    return this.#call('stop', runner, () => {
      if (this.containers.get(runner)?.seen.state === 'running') this.exit(runner, 143)
    })
  }

  remove(runner: RunnerId): Promise<void> {
    return this.#call('remove', runner, () => {
      if (this.containers.get(runner)?.seen.state === 'running') {
        throw new EngineError('refused', 'You cannot remove a running container')
      }
      if (this.containers.delete(runner)) this.emit({ runner, kind: 'removed' })
    })
  }

  logTail(runner: RunnerId, maxBytes: number): Promise<string> {
    return this.#call('logTail', runner, () => this.#get(runner).log.slice(-maxBytes))
  }

  examine(runner: RunnerId): Promise<Readonly<Record<string, unknown>>> {
    return this.#call('examine', runner, () => ({ state: this.#get(runner).seen.state }))
  }

  watch(handlers: Handlers, signal: AbortSignal): Promise<void> {
    return this.#call(
      'watch',
      null,
      () =>
        new Promise<void>((resolve, reject) => {
          const stream = {
            handlers,
            end: (error: Error | null) => {
              this.#streams.delete(stream)
              if (error === null) resolve()
              else reject(error)
            },
          }
          this.#streams.add(stream)
          signal.addEventListener('abort', () => stream.end(null), { once: true })
          handlers.onOpen()
        }),
    )
  }

  image(image: string): Promise<{ id: string; pulledAt: number | null } | null> {
    return this.#call('image', null, () => (this.images.has(image) ? { id: image, pulledAt: null } : null))
  }

  pull(image: string): Promise<void> {
    return this.#call('pull', null, () => {
      this.pulls += 1
      this.images.add(image)
    })
  }

  /* ── what happens to containers ── */

  exit(runner: RunnerId, exitCode: number, facts: Partial<EngineRunner> = {}): void {
    const container = this.#get(runner)
    container.seen = { ...container.seen, state: 'exited', finishedAt: this.now(), exitCode, ...facts }
    this.emit({ runner, kind: 'exited' })
  }

  /** Someone else removes it by force. */
  vanish(runner: RunnerId): void {
    this.containers.delete(runner)
  }

  setLog(runner: RunnerId, log: string): void {
    this.#get(runner).log = log
  }

  emit(event: EngineEvent): void {
    if (this.deaf) return
    for (const { handlers } of this.#streams) handlers.onEvent(event)
  }

  get streams(): number {
    return this.#streams.size
  }

  endStreams(error: Error | null = null): void {
    for (const stream of this.#streams) stream.end(error)
  }

  #get(runner: RunnerId): Container {
    const container = this.containers.get(runner)
    if (container === undefined) throw new EngineError('not-found', `No such container: ${runner}`)
    return container
  }
}
