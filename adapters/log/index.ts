import { escapeUnprintable, type LogEvent, levelOf, type LogLevel } from '../../core/model/index.ts'
import type { Log, LogEntry } from '../../core/ports/index.ts'

export type { LogEntry } from '../../core/ports/index.ts'
export type LogSink = (entry: LogEntry) => void

/** One line of a log, of any part of Slipway. */
export interface LogLine {
  /** By the wall clock, milliseconds since 1970. */
  readonly at: number
  readonly level: LogLevel
  /** The event's name. */
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export function createLog(sink: LogSink): Log {
  return { emit: (event) => sink({ at: Date.now(), event }) }
}

/** The line of an event. `more`: fields that the line carries besides those of the event. */
export function lineOf({ at, event }: LogEntry, more: LogLine['fields'] = {}): LogLine {
  const { name, ...fields }: LogEvent = event
  return { at, level: levelOf(name), event: name, fields: { ...fields, ...more } }
}

/*
 * A line of every form is printable: what an agent calls its version must not control the terminal that shows the log.
 */

/** One JSON object per line; an error is its message, a secret is `[secret]`. */
export function jsonLine(line: LogLine): string {
  return jsonWith('at', line)
}

/** The same for Lambda, which treats every line without a `timestamp` as level INFO. */
export function lambdaLine(line: LogLine): string {
  return jsonWith('timestamp', line)
}

/** `time level event key=value …` */
export function textLine({ at, level, event, fields }: LogLine): string {
  const time = new Date(at).toISOString().slice(11, 23)
  const words = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`)
  const line = [time, level === 'info' ? '' : level.toUpperCase(), event, ...words]
    .filter((word) => word !== '')
    .join(' ')
  return escapeUnprintable(line)
}

function jsonWith(timeKey: string, { at, level, event, fields }: LogLine): string {
  const line = { [timeKey]: new Date(at).toISOString(), level, event, ...fields }
  return escapeUnprintable(JSON.stringify(line, errorsAsText))
}

function plain(value: unknown): string {
  if (typeof value === 'string') return /\s/.test(value) ? JSON.stringify(value) : value
  if (value instanceof Error) return JSON.stringify(value.message)
  return JSON.stringify(value, errorsAsText) ?? String(value)
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
