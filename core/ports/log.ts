import type { EpochMs, LogEvent } from '../model/index.ts'

/** Where events go. Their levels are part of their definitions. */
export interface Log {
  /** Never throws and never waits. Fields may hold a `Secret`: it prints as `[secret]`. */
  emit(event: LogEvent): void
}

/** An event with its time, as a sink gets it. */
export interface LogEntry {
  /** By the wall clock. */
  readonly at: EpochMs
  readonly event: LogEvent
}
