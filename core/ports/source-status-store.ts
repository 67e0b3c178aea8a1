import type { SourceStatus } from '../model/index.ts'

/** How each source stands, as the planner last saw it. */
export interface SourceStatusStore {
  /** Replaces what was known of that source. */
  putSourceStatus(status: SourceStatus): Promise<void>
  /** Sorted by source. One that can't be read is left out: it is written anew within seconds of the next pass. */
  readSourceStatuses(): Promise<readonly SourceStatus[]>
}
