export type LogLevel = 'info' | 'warn' | 'error'

/** One event: its level, and the type of its fields. */
export interface EventDefinition<Fields extends object> {
  readonly level: LogLevel
  /** Never set: it carries the type of the fields alone. */
  readonly fields?: Fields
}

/** Something happened, as it should. */
export function info<Fields extends object = object>(): EventDefinition<Fields> {
  return { level: 'info' }
}

/** Something failed and is tried again, or is handled without a person. */
export function warn<Fields extends object = object>(): EventDefinition<Fields> {
  return { level: 'warn' }
}

/** Something failed that a person should look at. */
export function error<Fields extends object = object>(): EventDefinition<Fields> {
  return { level: 'error' }
}

/** A failure in words, for people. Every event that tells of a failure has this field, `cause`, or both. */
export interface Failure {
  readonly reason: string
}

/** A failure that was thrown. Logs print its message. */
export interface Thrown {
  readonly cause: unknown
}
