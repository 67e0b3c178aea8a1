import type { ConnectionId, Epoch, EpochMs, Fence, HostId, RunnerId, TemplateKey } from './ids.ts'
import type { SlotSize } from './template.ts'

/** What a host can hold at once, as its agent measured it and its owner capped it. */
export interface HostCapacity extends SlotSize {
  readonly runners: number
}

/** The share of a host that one runner holds, from claim until its container is cleared away. */
export interface Slot extends SlotSize {
  readonly template: TemplateKey
}

/** The pause after failures, kept per template on the host that failed. */
export interface Backoff {
  readonly failures: number
  readonly until: EpochMs
}

/**
 * `new`: added, never connected. `syncing`: a hello was accepted, its snapshot is not complete yet.
 * `online`: claimable. `offline`: no live connection; its runners are kept. `dead`: declared gone for good.
 */
export const HOST_STATES = ['new', 'syncing', 'online', 'offline', 'dead'] as const
export type HostState = (typeof HOST_STATES)[number]

/** The largest number of runners on one host: the list of their ids must fit one message of 30 KB. */
export const HOST_RUNNERS_MAX = 500

/**
 * The most slots that a host's record holds, in every store. Claims are limited by the host's capacity, adoptions only
 * by this, so that an item stays far below 400 KB.
 */
export const HOST_SLOTS_MAX = 2 * HOST_RUNNERS_MAX

export interface Host {
  readonly id: HostId
  readonly tags: readonly string[]
  /** SHA-256, hex, of the agent's token. */
  readonly tokenHash: string
  readonly state: HostState
  /** When `state` last changed. */
  readonly stateSince: EpochMs
  readonly epoch: Epoch
  readonly connection: ConnectionId | null
  /** Identity of the installation that serves this host; another one is refused while this one is online. */
  readonly install: string | null
  /** The fence under which slots may be claimed; 0 = by nobody yet. */
  readonly fence: Fence
  readonly capacity: HostCapacity
  /** False while the agent can't reach its engine, or its disk is full: zero capacity. */
  readonly accepting: boolean
  /** Why `accepting` is false, in words; null while it is true. */
  readonly notAcceptingReason: string | null
  readonly slots: ReadonlyMap<RunnerId, Slot>
  readonly backoffs: ReadonlyMap<TemplateKey, Backoff>
  /** Rises with every write to the host, so that a stale read can be told from a fresh one. */
  readonly revision: number
}

/** Kept apart from the host, because it changes far more often. */
export interface HostLiveness {
  readonly host: HostId
  readonly epoch: Epoch
  readonly lastSeenAt: EpochMs
  /** A host that is silent after this time counts as offline. */
  readonly expectedBy: EpochMs
  /** Containers that the host has lately been able to start in a minute; null = not measured yet. */
  readonly startsPerMinute: number | null
}

export type ImageState =
  | { readonly state: 'present' }
  | { readonly state: 'pulling' }
  | { readonly state: 'failed'; readonly reason: string; readonly retryAt: EpochMs }

/** The state of each image that a host was asked to pull. */
export interface HostImages {
  readonly host: HostId
  readonly images: ReadonlyMap<string, ImageState>
  readonly revision: number
}

/** Whether one heartbeat was sent after another one of the same host. */
export function isLaterSign(sign: HostLiveness, other: HostLiveness): boolean {
  return sign.epoch > other.epoch || (sign.epoch === other.epoch && sign.lastSeenAt > other.lastSeenAt)
}
