import type { HostCapacity, ImageState } from './host.ts'
import type { ConnectionId, Epoch, Fence, HostId, RunnerId, SourceId, TemplateKey } from './ids.ts'
import type { EndCode, Outcome, StopReason } from './runner.ts'
import type { Secret } from './secret.ts'
import type { Isolation, PullPolicy, SlotSize } from './template.ts'

/**
 * The messages between hub and agent, as the core sees them. `protocol/agent.ts` turns them into bytes and back;
 * docs/protocol.md tells their story. Times travel as durations (`agoMs`, `inMs`): no clock of a host is trusted.
 */
export const PROTOCOL_VERSION = 1
/** One WebSocket frame with a margin: API Gateway closes the connection on a frame above 32 KB. */
export const MESSAGE_MAX_BYTES = 30_000

/**
 * What an agent can rebuild a runner's record from, should the hub have lost it: it stands in the container's labels.
 */
export interface RunnerOrigin extends SlotSize {
  readonly template: TemplateKey
  readonly source: SourceId
  readonly labels: readonly string[]
  readonly reservation: string | null
}

/** Where an agent sees one of its runners. Only `exited` and `refused` end it. */
export type Sighting =
  /** Will be created by this agent unless it is canceled first. */
  | { readonly phase: 'accepted' }
  | { readonly phase: 'running'; readonly agoMs: number }
  | {
      readonly phase: 'exited'
      readonly agoMs: number
      readonly startedAgoMs: number | null
      readonly end: ReportedEnd
    }
  /** Never started and never will be: this agent remembers the id. */
  | { readonly phase: 'refused'; readonly end: ReportedEnd }

export interface ReportedEnd {
  readonly outcome: Outcome
  readonly code: EndCode
  readonly reason: string
  readonly exitCode: number | null
}

export interface RunnerSighting {
  readonly runner: RunnerId
  readonly sighting: Sighting
  /** True once its container uses nothing of the host any more (removed, or kept stopped for inspection). */
  readonly cleared: boolean
}

export interface SnapshotEntry extends RunnerSighting {
  readonly origin: RunnerOrigin
}

export type AgentMessage =
  | {
      readonly type: 'hello'
      readonly agentVersion: string
      /** Identity of this installation: of its data folder on this machine. */
      readonly install: string
      readonly engine: { readonly kind: string; readonly version: string; readonly bootId: string }
      readonly capacity: HostCapacity
      readonly accepting: boolean
      readonly notAcceptingReason: string | null
      /** Highest fence that this agent ever obeyed. */
      readonly fence: Fence
    }
  /**
   * The runners that exist, in parts, sent one after another: each waits for the ack of the previous one.
   * The last part lists the id of every runner that the agent knows and the hub may not have settled: complete.
   */
  | {
      readonly type: 'snapshot'
      readonly epoch: Epoch
      readonly seq: number
      readonly entries: readonly SnapshotEntry[]
      readonly complete: readonly RunnerId[] | null
    }
  | {
      readonly type: 'report'
      readonly epoch: Epoch
      readonly seq: number
      readonly runners: readonly RunnerSighting[]
    }
  | {
      readonly type: 'heartbeat'
      readonly epoch: Epoch
      readonly seq: number
      readonly accepting: boolean
      readonly notAcceptingReason: string | null
      readonly startsPerMinute: number | null
      /** When the next heartbeat will come. */
      readonly nextInMs: number
    }
  /** The state of some of the images that the hub asked for; merged by image. */
  | {
      readonly type: 'images'
      readonly epoch: Epoch
      readonly seq: number
      readonly images: readonly { readonly image: string; readonly status: ReportedImage }[]
    }
  /** A part of the record of a dead runner: JSON text, cut into parts of at most 20,000 characters. */
  | {
      readonly type: 'black-box'
      readonly epoch: Epoch
      readonly seq: number
      readonly runner: RunnerId
      readonly part: number
      readonly parts: number
      readonly text: string
    }

export type ReportedImage =
  | Exclude<ImageState, { state: 'failed' }>
  | { readonly state: 'failed'; readonly reason: string; readonly retryInMs: number }

/** Everything that an agent needs to start one runner. */
export interface LaunchOrder {
  readonly runner: RunnerId
  readonly origin: RunnerOrigin
  readonly image: string
  readonly pull: PullPolicy
  readonly isolation: Isolation
  readonly env: Readonly<Record<string, string>>
  /** What the source gave for this runner alone: its token, never stored, never logged. */
  readonly secretEnv: Readonly<Record<string, Secret>>
  /** Not created by then, it must not be created any more: the reservation is over. */
  readonly expiresInMs: number
  /** Created but not started by then, it is reaped. */
  readonly startDeadlineMs: number
  readonly maxLifetimeMs: number
  readonly stopTimeoutMs: number
}

/**
 * The longest reason in a message: of an end, of a host that takes no runners, of an image that cannot be pulled. Reasons
 * are sentences for people, and an engine's own words may fill a page.
 */
export const REASON_MAX_CHARACTERS = 500

/** Commands carry the fence and epoch that they were given under; an agent refuses older ones. */
export type HubMessage =
  | {
      readonly type: 'welcome'
      readonly host: HostId
      readonly epoch: Epoch
      readonly heartbeatIdleMs: number
      readonly heartbeatBusyMs: number
    }
  | {
      readonly type: 'launch'
      readonly command: string
      readonly epoch: Epoch
      readonly fence: Fence
      readonly launches: readonly LaunchOrder[]
    }
  /** End these runners: SIGTERM, their grace, SIGKILL. One that is not created yet is refused permanently. */
  | {
      readonly type: 'stop'
      readonly command: string
      readonly epoch: Epoch
      readonly fence: Fence
      readonly runners: readonly { readonly runner: RunnerId; readonly reason: StopReason }[]
    }
  /**
   * Report the state of these runners. One that the agent has never seen is refused permanently, and reported as
   * refused.
   */
  | {
      readonly type: 'settle'
      readonly command: string
      readonly epoch: Epoch
      readonly fence: Fence
      readonly runners: readonly RunnerId[]
    }
  /** Pull these images and report their state. Repeated when templates change. */
  | {
      readonly type: 'prefetch'
      readonly command: string
      readonly epoch: Epoch
      readonly images: readonly { readonly image: string; readonly pull: PullPolicy }[]
    }
  /** This message of this epoch is stored; earlier ones may still be handled later. */
  | { readonly type: 'ack'; readonly epoch: Epoch; readonly seq: number }
  /** The hub ends this session. `retry` false: a person has to act. */
  | {
      readonly type: 'goodbye'
      readonly code: GoodbyeCode
      readonly message: string
      readonly retry: boolean
    }

export const GOODBYE_CODES = [
  'superseded',
  'host-unknown',
  'install-mismatch',
  'protocol-unsupported',
  'message-invalid',
] as const
export type GoodbyeCode = (typeof GOODBYE_CODES)[number]

/** Who sends: taken from the connection's authorizer, never from a message. */
export interface AgentConnection {
  readonly host: HostId
  readonly connection: ConnectionId
}
