import type { Host, HostCapacity, HostImages, HostLiveness, Slot } from './host.ts'
import type { EpochMs, Fence, HostId, RunnerId } from './ids.ts'
import type { LiveRunner, Runner } from './runner.ts'

export interface Lease {
  readonly holder: string
  readonly build: string
  readonly fence: Fence
  readonly takenAt: EpochMs
  /** By the hub's clock. */
  readonly expiresAt: EpochMs
  /** When its holder plans to hand over; null = never by itself. */
  readonly handOverAt: EpochMs | null
  /** A successor of this build waits: the holder hands over at its next renewal. */
  readonly yieldTo: string | null
  readonly notes: LeaseNotes
}

/** What one lease holder leaves for the next. */
export interface LeaseNotes {
  /** Mint calls in the source's current window. */
  readonly mintWindows: Readonly<Record<string, { readonly startedAt: EpochMs; readonly calls: number }>>
  /** Ends of runners up to this time have reached their source. */
  readonly reportedUpTo: Readonly<Record<string, EpochMs>>
  /** When work was last seen: a job that waited, or a runner that moved. */
  readonly lastWorkAt: EpochMs
  /** False once no runner lives, no job waits, and every end was reported: no planner is needed. */
  readonly workLeft: boolean
}

/** No notes: their reader must read everything itself. */
export const NO_NOTES: LeaseNotes = { mintWindows: {}, reportedUpTo: {}, lastWorkAt: 0, workLeft: true }

/** The end of a lease that was released: before every time, so it is over by every clock, and beyond renewal. */
export const RELEASED_AT: EpochMs = 0

export interface HelloFacts {
  readonly install: string
  readonly capacity: HostCapacity
  readonly accepting: boolean
  readonly notAcceptingReason: string | null
}

export interface SlotClaim {
  readonly runner: RunnerId
  readonly slot: Slot
}

/** The most slots that one call may claim: what one conditional write of DynamoDB can express. */
export const CLAIMS_MAX = 100

/** The world as one complete, consistent-enough read; throws rather than return a part of it. */
export interface Fleet {
  readonly hosts: readonly Host[]
  readonly liveness: readonly HostLiveness[]
  readonly images: readonly HostImages[]
  readonly runners: readonly Runner[]
  /**
   * Items that are there and can't be read: unknown, not absent. While a runner is among them, no set of runners is
   * complete (no reconcile with a source); while a host is, its runners still have one.
   */
  readonly unreadable: readonly UnreadableItem[]
}

/** A stored item that is damaged, or that another version wrote. The ids are those of its key; null = it names none. */
export interface UnreadableItem {
  readonly host: HostId | null
  readonly runner: RunnerId | null
  /** Which item, and what is wrong with it, in words. */
  readonly problem: string
}

/** Runners of one host that are not gone. */
export interface LiveRunners {
  readonly runners: readonly LiveRunner[]
  /** Stored, but can't be read: live or gone. */
  readonly unreadable: readonly UnreadableItem[]
}

export interface FleetChanges extends Fleet {
  /** Pass it to the next call. */
  readonly cursor: EpochMs
}

/** `runner` is what stands in the store now; null = there is no such runner. `moved` is true also for a repeat. */
export interface Moved {
  readonly moved: boolean
  readonly runner: Runner | null
}

/**
 * How far before its cursor each reading of changes starts, in every store. A change may appear late: its time is taken
 * before the write, which may be retried for seconds; an index usually lags by less than a second; and the clocks of two
 * writers differ, or one steps back.
 */
export const CHANGES_OVERLAP_MS = 10_000
