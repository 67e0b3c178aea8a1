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

/** The engine's view of one runner of this agent. Times are the engine's own clock, epoch ms. */
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

/** How an engine call failed. The agent decides on nothing else. */
export type EngineFailureKind =
  /** The engine cannot be reached or did not answer in time; the call may have had its effect. */
  | 'unreachable'
  /** Certainly not done, and a retry would fail too: bad image, bad option, full disk. */
  | 'refused'
  /** No such container or image. */
  | 'not-found'
  /** A container that does not belong to this agent has the name. */
  | 'conflict'
  /** The registry was slow, rate-limiting or unreachable: retry later. */
  | 'registry-unavailable'

/** The only error that methods of an engine throw. */
export class EngineError extends Error {
  readonly kind: EngineFailureKind

  constructor(kind: EngineFailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EngineError'
    this.kind = kind
  }
}

/**
 * Runs containers. It touches only containers with this agent's install and host labels. Every call has its own deadline;
 * none retries by itself.
 */
export interface Engine {
  describe(): Promise<EngineFacts>
  /** All runners of this agent, whatever their state: complete, or it throws. */
  list(): Promise<readonly EngineRunner[]>
  /** Null: certainly absent. */
  inspect(runner: RunnerId): Promise<EngineRunner | null>
  /** Creates a container under its deterministic name. `existed`: from an earlier try of this agent. */
  create(spec: RunnerSpec): Promise<'created' | 'existed'>
  /** Has no effect on one that runs or has exited. Resolves with the state afterwards. */
  start(runner: RunnerId): Promise<EngineRunner>
  /** SIGTERM, the grace, SIGKILL; resolves when it has exited. Has no effect on one that has exited or is gone. */
  stop(runner: RunnerId, graceMs: number): Promise<void>
  /** Removes it with its anonymous volumes; never a running one (`refused`). Has no effect on one that is gone. */
  remove(runner: RunnerId): Promise<void>
  /** The end of its output, both streams in order, at most `maxBytes`. */
  logTail(runner: RunnerId, maxBytes: number): Promise<string>
  /** Allow-listed facts for its crash report: never the environment. */
  examine(runner: RunnerId): Promise<Readonly<Record<string, unknown>>>
  /** Reports changes until the stream ends (resolves) or breaks (throws). `onOpen` is called once it is subscribed. */
  watch(
    handlers: { onOpen: () => void; onEvent: (event: EngineEvent) => void },
    signal: AbortSignal,
  ): Promise<void>
  /** Null: not present. `pulledAt` null: unknown to the engine. */
  image(image: string): Promise<{ readonly id: string; readonly pulledAt: number | null } | null>
  pull(image: string, signal: AbortSignal): Promise<void>
}
