import type { EpochMs, Fence, Lease, LeaseNotes } from '../model/index.ts'

/** The fleet lease: one planner for the fleet. */
export interface LeaseStore {
  readLease(): Promise<Lease | null>
  /**
   * Takes a lease that is free, over (`now` past its end) or already this holder's; the fence rises. Null: held by
   * another.
   */
  takeLease(request: {
    holder: string
    build: string
    now: EpochMs
    ttlMs: number
    handOverAt: EpochMs | null
  }): Promise<Lease | null>
  /** Null: lost (another fence, or another holder). */
  renewLease(request: {
    holder: string
    fence: Fence
    now: EpochMs
    ttlMs: number
    notes: LeaseNotes
  }): Promise<Lease | null>
  /** Ends the lease at once and keeps its notes; a lease that another holder has by now is left alone. */
  releaseLease(request: { holder: string; fence: Fence; now: EpochMs; notes: LeaseNotes }): Promise<void>
  /** Asks this holder to hand over to `build`; a different holder is not asked. */
  requestYield(request: { holder: string; build: string }): Promise<void>
}
