import { type EpochMs, type Lease, RELEASED_AT } from '../model/index.ts'
import { type RunModeRule, staysInQuiet } from './run-mode.ts'

/** The period of the schedule. What one tick leaves undone, the next tick finds. */
const TICK_EVERY_MS = 60_000
/** A tick handles a hand-over that is due before the next tick can run; ticks may be 15 s late. */
const HAND_OVER_SOON_MS = TICK_EVERY_MS + 15_000
/** A holder renews every 8 s; with less than this left, it has missed a renewal. */
const UNRENEWED_MS = 10_000
/**
 * While code is being replaced, the old build may still be started for some seconds. It must not ask the new build to
 * hand over.
 */
const BUILD_SETTLE_MS = 30_000
/** While there is no work, a tick still reads the whole fleet at least this often, whatever the notes say. */
const FULL_PASS_EVERY_MS = 15 * 60_000

export interface LeaseFacts {
  readonly now: EpochMs
  readonly build: string
  /** When the tick was due. A late tick carries an older build than its start time suggests. */
  readonly dueAt: EpochMs
}

/**
 * What a tick does about the lease as it stands.
 * `take`: it is free. `wait`: it will be free before the next tick. `ask`: its holder is of an older build or near the
 * end of its time, and is asked to hand over. `leave`: another holder has it and renews it.
 */
export type LeaseDecision = 'take' | 'wait' | 'ask' | 'leave'

export function decideOnLease(lease: Lease | null, { now, build, dueAt }: LeaseFacts): LeaseDecision {
  if (lease === null || lease.expiresAt <= now) return 'take'
  if (lease.yieldTo === build) return 'wait'
  if (lease.build !== build) {
    // Every invocation starts with the newest code: a tick of another build is newer, unless the holder came after it.
    return dueAt > lease.takenAt + BUILD_SETTLE_MS ? 'ask' : 'leave'
  }
  if (lease.yieldTo !== null) return 'leave'
  // While a successor waits for the exact hand-over time, two invocations are billed: it gets the lease at once.
  if (lease.handOverAt !== null && lease.handOverAt - now <= HAND_OVER_SOON_MS) return 'ask'
  return lease.expiresAt - now < UNRENEWED_MS ? 'wait' : 'leave'
}

/**
 * Whether it is enough to poll the sources once: the last holder left no work, and the run mode requires no planner at
 * this time of day. Such a tick takes no lease and raises no fence, unless it finds a job.
 */
export function mayPollOnly(lease: Lease | null, { now, build }: LeaseFacts, rule: RunModeRule): boolean {
  if (lease === null || lease.expiresAt !== RELEASED_AT || lease.build !== build) return false
  if (lease.notes.workLeft || staysInQuiet(rule, lease.notes.lastWorkAt, now)) return false
  return now - lease.takenAt < FULL_PASS_EVERY_MS
}
