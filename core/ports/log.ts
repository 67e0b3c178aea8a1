/** Typed events with stable dotted names. Fields may hold a `Secret`: it prints as `[secret]`. */
export interface Log {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void
  error(event: string, fields?: Readonly<Record<string, unknown>>): void
}

/** One event as whoever writes it down gets it. */
export interface LogEntry {
  /** By the wall clock, milliseconds since 1970. */
  readonly at: number
  readonly level: keyof Log
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}
