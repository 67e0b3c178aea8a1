import type { HostCapacity, Isolation, RunnerId, RunnerOrigin, Secret } from '../../core/model/index.ts'

/** Everything that an engine needs to create one runner's container; built by the agent alone, from typed fields. */
export interface RunnerSpec {
  readonly runner: RunnerId
  readonly origin: RunnerOrigin
  readonly image: string
  readonly isolation: Isolation
  readonly env: Readonly<Record<string, string>>
  readonly secretEnv: Readonly<Record<string, Secret>>
  readonly startDeadlineMs: number
  readonly maxLifetimeMs: number
  readonly stopTimeoutMs: number
}

/** What the engine knows of one runner of this agent. Times are the engine's own clock, epoch ms. */
export interface EngineRunner {
  readonly runner: RunnerId
  readonly origin: RunnerOrigin
  /** `dead` covers whatever the engine can neither run nor start: removal in progress, a phantom. */
  readonly state: 'created' | 'running' | 'exited' | 'dead'
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly exitCode: number | null
  readonly oomKilled: boolean
  readonly error: string | null
  readonly startDeadlineMs: number
  readonly maxLifetimeMs: number
  readonly stopTimeoutMs: number
}

export interface EngineFacts {
  readonly kind: 'docker' | 'process'
  readonly version: string
  /** Changes when the engine's machine restarts; an exit across such a change proves nothing. */
  readonly bootId: string
  /** What the machine has, before the owner's caps. */
  readonly capacity: Omit<HostCapacity, 'runners'>
  /** Runtimes that this engine can use. */
  readonly isolations: readonly Isolation[]
  /** The folder of this machine whose disk containers and images fill; null = it is elsewhere, or unknown. */
  readonly storage: string | null
}

export type EngineEvent = {
  readonly runner: RunnerId
  readonly kind: 'started' | 'exited' | 'oom' | 'removed'
}

/** How an engine call failed, which is all that the agent decides on. */
export type EngineFailureKind =
  /** The engine can't be reached or didn't answer in time; the call may have had its effect. */
  | 'unreachable'
  /** Surely not done, and it would fail again: bad image, bad option, no disk. */
  | 'refused'
  /** No such container or image. */
  | 'not-found'
  /** The name is held by a container that is not ours. */
  | 'conflict'
  /** The registry was slow, limiting or away: try again later. */
  | 'registry-unavailable'

/** Thrown by every method of an engine; nothing else is. */
export class EngineError extends Error {
  readonly kind: EngineFailureKind

  constructor(kind: EngineFailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EngineError'
    this.kind = kind
  }
}

/**
 * What runs containers. It touches only what carries this agent's install and host labels. Every call ends within a
 * deadline of its own; none retries by itself.
 */
export interface Engine {
  describe(): Promise<EngineFacts>
  /** All runners of this agent, whatever their state: complete, or it throws. */
  list(): Promise<readonly EngineRunner[]>
  /** Null: surely not there. */
  inspect(runner: RunnerId): Promise<EngineRunner | null>
  /** Creates it under its deterministic name. `existed`: ours, from an earlier try. */
  create(spec: RunnerSpec): Promise<'created' | 'existed'>
  /** Starting one that runs or has exited already changes nothing. Resolves with what stands then. */
  start(runner: RunnerId): Promise<EngineRunner>
  /** SIGTERM, the grace, SIGKILL; resolves when it has exited. One that has exited, or is gone, is fine. */
  stop(runner: RunnerId, graceMs: number): Promise<void>
  /** Removes it with its anonymous volumes; running ones are never removed (`refused`). One that is gone is fine. */
  remove(runner: RunnerId): Promise<void>
  /** The last lines that it wrote, both streams in order, at most `maxBytes` from the end. */
  logTail(runner: RunnerId, maxBytes: number): Promise<string>
  /** An allow-list of what the engine can tell about it, for its crash report: never the environment. */
  examine(runner: RunnerId): Promise<Readonly<Record<string, unknown>>>
  /** Tells of changes until the stream ends (resolves) or breaks (throws). `onOpen` fires once it is subscribed. */
  watch(
    handlers: { onOpen: () => void; onEvent: (event: EngineEvent) => void },
    signal: AbortSignal,
  ): Promise<void>
  /** Null: not present. `pulledAt` = null when the engine can't say. */
  image(image: string): Promise<{ readonly id: string; readonly pulledAt: number | null } | null>
  pull(image: string, signal: AbortSignal): Promise<void>
}
