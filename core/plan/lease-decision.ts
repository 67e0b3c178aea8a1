import { type EpochMs, type Lease, RELEASED_AT } from '../model/index.ts'
import { type RunModeRule, staysInQuiet } from './run-mode.ts'

/** The schedule's period: what a tick leaves undone, the next one sees. */
const TICK_EVERY_MS = 60_000
/** A tick sees to a hand-over that is due before the next tick could be there, late as ticks may be. */
const HAND_OVER_SOON_MS = TICK_EVERY_MS + 15_000
/** A holder renews every 8 s; with less than this left, it has missed a renewal. */
const UNRENEWED_MS = 10_000
/** While code is being replaced, an old build may still be started for some seconds: it must not ask the new one to go. */
const BUILD_SETTLE_MS = 30_000
/** The slow repair in the quiet: at least this often a tick looks at the whole fleet, whatever the notes say. */
const FULL_PASS_EVERY_MS = 15 * 60_000

export interface LeaseFacts {
  readonly now: EpochMs
  readonly build: string
  /** When the tick was due: a late one knows less than its time suggests. */
  readonly dueAt: EpochMs
}

/**
 * What a tick does about the lease as it stands.
 * `take`: it is free. `wait`: it will be free before the next tick. `ask`: its holder is of an older build or near the
 * end of its time, and is asked to hand over. `leave`: it is held and cared for.
 */
export type LeaseDecision = 'take' | 'wait' | 'ask' | 'leave'

export function decideOnLease(lease: Lease | null, { now, build, dueAt }: LeaseFacts): LeaseDecision {
  if (lease === null || lease.expiresAt <= now) return 'take'
  if (lease.yieldTo === build) return 'wait'
  if (lease.build !== build) {
    // Every invocation starts with the newest code, so a tick of another build is newer, unless the holder came after it.
    return dueAt > lease.takenAt + BUILD_SETTLE_MS ? 'ask' : 'leave'
  }
  if (lease.yieldTo !== null) return 'leave'
  // Waiting for the hour itself would be billed twice: a successor that is there is let in at once.
  if (lease.handOverAt !== null && lease.handOverAt - now <= HAND_OVER_SOON_MS) return 'ask'
  return lease.expiresAt - now < UNRENEWED_MS ? 'wait' : 'leave'
}

/**
 * Whether one look at the sources is enough: the last holder left nothing behind, and the time of day asks for no
 * more. Then a tick takes no lease and raises no fence, unless it finds a job.
 */
export function mayLookOnly(lease: Lease | null, { now, build }: LeaseFacts, rule: RunModeRule): boolean {
  if (lease === null || lease.expiresAt !== RELEASED_AT || lease.build !== build) return false
  if (lease.notes.workLeft || staysInQuiet(rule, lease.notes.lastWorkAt, now)) return false
  return now - lease.takenAt < FULL_PASS_EVERY_MS
}
