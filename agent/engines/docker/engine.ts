import type { RunnerId } from '../../../core/model/index.ts'
import type { Clock, Log } from '../../../core/ports/index.ts'
import { EngineError, type Engine, type EngineFacts, type EngineRunner, type RunnerSpec } from '../engine.ts'
import { ContainerList } from './container-list.ts'
import { containerSpec, type ContainerOptions } from './container-spec.ts'
import { engineTime, InspectedContainer, readContainer } from './container-state.ts'
import { withDeadline, type Call } from './deadline.ts'
import { followEvents, openEvents } from './events.ts'
import { Examination } from './examination.ts'
import { engineError, surelyNotDone, tolerating } from './failure.ts'
import { inspectImage, PULL_STALL_MS, pullImage } from './images.ts'
import { containerName, isOwned, RUNNER_LABEL } from './labels.ts'
import { readLogTail } from './logs.ts'
import { openSession, readFacts, readInfo, type Session, type SessionOptions } from './session.ts'

export interface DockerEngineParts {
  readonly session: SessionOptions
  readonly container: Omit<ContainerOptions, 'defaultLogDriver'>
  readonly clock: Clock
  readonly log: Log
  readonly callTimeoutMs: number
}

/** Longer than the largest images take on a slow connection; ends a pull that never finishes. */
const PULL_MAX_MS = 60 * 60 * 1000
/** How far back a subscription begins: covers the time that subscribing takes. A repeated event does no harm. */
const EVENTS_OVERLAP_MS = 2_000

export class DockerEngine implements Engine {
  readonly #parts: DockerEngineParts
  readonly #list: ContainerList
  #session: Promise<Session> | null = null
  /** Containers of ours as last seen; what stands here was checked to be ours. */
  #ids = new Map<RunnerId, string>()
  /** Created by this process and not started yet, so certainly never started. */
  readonly #fresh = new Set<RunnerId>()
  /** Creates without an answer: the engine may still be executing them. */
  readonly #unansweredCreates = new Set<RunnerId>()
  /** Starts without an answer; see `start`. */
  readonly #unansweredStarts = new Set<RunnerId>()
  /** The engine's own time of a pull doesn't move when the registry had nothing newer. */
  readonly #pulledAt = new Map<string, number>()
  readonly #starting = new Map<RunnerId, Promise<EngineRunner>>()

  constructor(parts: DockerEngineParts) {
    this.#parts = parts
    this.#list = new ContainerList({ ...parts, owner: parts.container })
  }

  /** Agrees anew on an API version, since the engine may have been upgraded. */
  async describe(): Promise<EngineFacts> {
    this.#session = null
    const info = await this.#call({ doing: 'describe itself' }, ({ docker }, signal) =>
      readInfo(docker, signal),
    )
    return readFacts(info, this.#parts.session.address, this.#list.unreadable())
  }

  async list(): Promise<readonly EngineRunner[]> {
    const found = await this.#call({ doing: 'list the containers' }, ({ docker }, signal) =>
      this.#list.read(docker, signal),
    )
    this.#ids = new Map([...found].map(([containerId, { runner }]) => [runner, containerId]))
    return [...found.values()]
  }

  async inspect(runner: RunnerId): Promise<EngineRunner | null> {
    const container = await this.#lookUp(runner)
    return container === null ? null : asRunner(container)
  }

  async create(spec: RunnerSpec): Promise<'created' | 'existed'> {
    const { runner } = spec
    const triedBefore = this.#unansweredCreates.has(runner)
    try {
      const id = await this.#call({ doing: `create runner ${runner}` }, async (session, signal) => {
        const { docker, defaultLogDriver } = session
        const request = containerSpec(spec, { ...this.#parts.container, defaultLogDriver })
        this.#unansweredCreates.add(runner)
        return (await docker.createContainer({ ...request, abortSignal: signal })).id
      })
      this.#unansweredCreates.delete(runner)
      this.#ids.set(runner, id)
      this.#fresh.add(runner)
      return 'created'
    } catch (thrown) {
      if (surelyNotDone(thrown) && !triedBefore) this.#unansweredCreates.delete(runner)
      if (!(thrown instanceof EngineError && thrown.kind === 'conflict')) throw thrown
      return this.#adopt(runner, thrown)
    }
  }

  /**
   * The engine would run an exited container again, and a start that got no answer may still wait in the engine: a
   * second one behind it could start the runner twice. So each container is asked to start once, unless the first
   * try surely failed; after a start without an answer, only looking is left.
   */
  start(runner: RunnerId): Promise<EngineRunner> {
    const starting =
      this.#starting.get(runner) ?? this.#startOnce(runner).finally(() => this.#starting.delete(runner))
    this.#starting.set(runner, starting)
    return starting
  }

  async stop(runner: RunnerId, graceMs: number): Promise<void> {
    const containerId = await this.#find(runner)
    if (containerId === null) return
    const seconds = Math.ceil(graceMs / 1000)
    const call = { doing: `stop runner ${runner}`, timeoutMs: seconds * 1000 + this.#parts.callTimeoutMs }
    await this.#call(call, async ({ docker }, signal) => {
      await tolerating([304, 404], docker.getContainer(containerId).stop({ t: seconds, abortSignal: signal }))
    })
  }

  async remove(runner: RunnerId): Promise<void> {
    const containerId = await this.#find(runner)
    if (containerId !== null) {
      await this.#call({ doing: `remove runner ${runner}` }, async ({ docker }, signal) => {
        await tolerating([404], docker.getContainer(containerId).remove({ v: true, abortSignal: signal }))
      })
    }
    this.#forget(runner)
  }

  async logTail(runner: RunnerId, maxBytes: number): Promise<string> {
    const containerId = await this.#mustFind(runner)
    return this.#call({ doing: `read the log of runner ${runner}` }, ({ docker }, signal) =>
      readLogTail(docker, containerId, maxBytes, signal),
    )
  }

  async examine(runner: RunnerId): Promise<Readonly<Record<string, unknown>>> {
    const containerId = await this.#mustFind(runner)
    return this.#call({ doing: `examine runner ${runner}` }, async ({ docker }, signal) =>
      Examination.parse(await docker.getContainer(containerId).inspect({ abortSignal: signal })),
    )
  }

  async watch(handlers: Parameters<Engine['watch']>[0], signal: AbortSignal): Promise<void> {
    try {
      const stream = await this.#call({ doing: 'follow its events' }, async ({ docker }, late) => {
        const now = engineTime((await readInfo(docker, late)).SystemTime) ?? this.#parts.clock.now()
        const either = AbortSignal.any([signal, late])
        return openEvents(docker, this.#parts.container, now - EVENTS_OVERLAP_MS, either)
      })
      handlers.onOpen()
      await followEvents(stream, handlers.onEvent)
    } catch (thrown) {
      if (signal.aborted) return
      this.#session = null
      throw engineError('follow its events', thrown)
    }
  }

  async image(image: string): Promise<{ readonly id: string; readonly pulledAt: number | null } | null> {
    const found = await this.#call({ doing: `look for image ${image}` }, ({ docker }, signal) =>
      inspectImage(docker, image, signal),
    )
    if (found === null) return null
    const known = [found.taggedAt, this.#pulledAt.get(image)].filter((at) => at !== null && at !== undefined)
    return { id: found.id, pulledAt: known.length === 0 ? null : Math.max(...known) }
  }

  async pull(image: string, signal: AbortSignal): Promise<void> {
    const call = {
      doing: `pull ${image}`,
      timeoutMs: PULL_STALL_MS,
      maxMs: PULL_MAX_MS,
      lateKind: 'registry-unavailable' as const,
    }
    try {
      await this.#call(call, ({ docker }, late, alive) =>
        pullImage(docker, image, alive, AbortSignal.any([signal, late])),
      )
      this.#pulledAt.set(image, this.#parts.clock.now())
    } catch (thrown) {
      if (!signal.aborted) throw thrown
      throw new EngineError('registry-unavailable', `The pull of ${image} was aborted.`, { cause: thrown })
    }
  }

  async #startOnce(runner: RunnerId): Promise<EngineRunner> {
    const containerId = await this.#mustFind(runner)
    const before = this.#fresh.delete(runner) ? null : await this.#mustInspect(runner)
    if (before !== null && before.state !== 'created') return before
    if (this.#unansweredStarts.has(runner)) {
      throw new EngineError('unreachable', `Docker has not answered the start of runner ${runner} yet.`)
    }
    try {
      await this.#call({ doing: `start runner ${runner}` }, async ({ docker }, signal) => {
        this.#unansweredStarts.add(runner)
        await tolerating([304], docker.getContainer(containerId).start({ abortSignal: signal }))
      })
      this.#unansweredStarts.delete(runner)
    } catch (thrown) {
      if (surelyNotDone(thrown)) this.#unansweredStarts.delete(runner)
      throw thrown
    }
    return this.#mustInspect(runner)
  }

  /** The name is taken: by an earlier try of ours, or else by something that we don't touch. */
  async #adopt(runner: RunnerId, conflict: EngineError): Promise<'existed'> {
    if ((await this.#lookUp(runner)) !== null) {
      this.#unansweredCreates.delete(runner)
      return 'existed'
    }
    if (!this.#unansweredCreates.has(runner)) throw conflict
    throw new EngineError('unreachable', `Docker has not answered the create of runner ${runner} yet.`, {
      cause: conflict,
    })
  }

  /** Looks up the container by name. Null: certainly no container of this agent. */
  async #lookUp(runner: RunnerId): Promise<InspectedContainer | null> {
    const call = { doing: `inspect runner ${runner}` }
    const container = await this.#call(call, async ({ docker }, signal) => {
      const answer = await tolerating(
        [404],
        docker.getContainer(containerName(runner)).inspect({ abortSignal: signal }),
      )
      return answer === null ? null : InspectedContainer.parse(answer)
    })
    const labels = container?.Config.Labels ?? {}
    if (container === null || !isOwned(this.#parts.container, labels) || labels[RUNNER_LABEL] !== runner) {
      this.#ids.delete(runner)
      return null
    }
    this.#ids.set(runner, container.Id)
    return container
  }

  async #find(runner: RunnerId): Promise<string | null> {
    return this.#ids.get(runner) ?? (await this.#lookUp(runner))?.Id ?? null
  }

  async #mustFind(runner: RunnerId): Promise<string> {
    const containerId = await this.#find(runner)
    if (containerId === null) throw noSuchRunner(runner)
    return containerId
  }

  async #mustInspect(runner: RunnerId): Promise<EngineRunner> {
    const found = await this.inspect(runner)
    if (found === null) throw noSuchRunner(runner)
    return found
  }

  #forget(runner: RunnerId): void {
    this.#ids.delete(runner)
    this.#fresh.delete(runner)
    this.#unansweredCreates.delete(runner)
    this.#unansweredStarts.delete(runner)
  }

  async #call<T>(
    call: Omit<Call, 'timeoutMs'> & { timeoutMs?: number },
    work: (session: Session, signal: AbortSignal, alive: () => void) => Promise<T>,
  ): Promise<T> {
    const opening = (this.#session ??= openSession(this.#parts.session))
    try {
      const session = await opening
      const { clock, callTimeoutMs } = this.#parts
      return await withDeadline(clock, { timeoutMs: callTimeoutMs, ...call }, (signal, alive) =>
        work(session, signal, alive),
      )
    } catch (thrown) {
      // The engine may return with another version.
      if (thrown instanceof EngineError && thrown.kind === 'unreachable' && this.#session === opening) {
        this.#session = null
      }
      throw thrown
    }
  }
}

function asRunner(container: InspectedContainer): EngineRunner {
  const runner = readContainer(container)
  if (!('unreadable' in runner)) return runner
  throw new EngineError(
    'refused',
    `Container ${container.Name} has labels that this agent cannot read: ${runner.unreadable}. Remove it by hand.`,
  )
}

function noSuchRunner(runner: RunnerId): EngineError {
  return new EngineError('not-found', `Docker has no container of this agent for runner ${runner}.`)
}
