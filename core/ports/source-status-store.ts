import type { SourceStatus } from '../model/index.ts'

/** The status of each source, as the planner last saw it. */
export interface SourceStatusStore {
  /** Replaces what was known of that source. */
  putSourceStatus(status: SourceStatus): Promise<void>
  /** Sorted by source. A status that can't be read is left out: the planner soon writes it again. */
  readSourceStatuses(): Promise<readonly SourceStatus[]>
}
