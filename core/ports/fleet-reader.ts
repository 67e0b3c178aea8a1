import type { EpochMs, Fleet, FleetChanges } from '../model/index.ts'

/** The whole fleet, and what changed in it. */
export interface FleetReader {
  /** Strongly consistent and complete (every page), or it throws. Tombstones included. */
  readFleet(): Promise<Fleet>
  /**
   * Hosts, liveness, images and runners written since `cursor`: a hint, read from an index that may lag. May repeat
   * earlier changes; must contain every change within a few seconds of its write, except for heartbeats that were
   * expected.
   */
  readChanges(cursor: EpochMs): Promise<FleetChanges>
}
