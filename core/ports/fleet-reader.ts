import type { EpochMs, Fleet, FleetChanges } from '../model/index.ts'

/** The whole fleet, and what changed in it. */
export interface FleetReader {
  /** Strongly consistent and complete (every page), or it throws. Tombstones included. */
  readFleet(): Promise<Fleet>
  /**
   * Hosts, liveness, images and runners written since `cursor`: a hint, read from an index that may lag. May
   * repeat what was told before; must tell everything within a few seconds of its writing, signs of life that were
   * expected excepted.
   */
  readChanges(cursor: EpochMs): Promise<FleetChanges>
}
