import type { EpochMs, HostId, RunnerId } from '../model/index.ts'

/** Crash reports, and the removal of what is too old to keep. */
export interface RecordStore {
  putCrashReport(request: {
    host: HostId
    runner: RunnerId
    part: number
    parts: number
    text: string
    now: EpochMs
  }): Promise<void>
  /** The whole text, or null while a part is missing. */
  getCrashReport(host: HostId, runner: RunnerId): Promise<string | null>
  /** Removes tombstones and crash reports older than `before`, up to `limit`; resolves with how many. */
  removeExpired(request: { before: EpochMs; limit: number }): Promise<number>
}
