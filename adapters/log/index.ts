import type { Log, LogEntry } from '../../core/ports/index.ts'

export type { LogEntry } from '../../core/ports/index.ts'
export type LogSink = (entry: LogEntry) => void

export function createLog(sink: LogSink): Log {
  const write =
    (level: LogEntry['level']) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      sink({ at: Date.now(), level, event, fields })
  return { info: write('info'), warn: write('warn'), error: write('error') }
}

/** One JSON object per line; an error is its message, a secret is `[secret]`. */
export function jsonLine(entry: LogEntry): string {
  return jsonWith('at', entry)
}

/** The same for Lambda, which treats every line without a `timestamp` as level INFO. */
export function lambdaLine(entry: LogEntry): string {
  return jsonWith('timestamp', entry)
}

/** `time level event key=value …` */
export function textLine({ at, level, event, fields }: LogEntry): string {
  const time = new Date(at).toISOString().slice(11, 23)
  const words = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`)
  return [time, level === 'info' ? '' : level.toUpperCase(), event, ...words]
    .filter((word) => word !== '')
    .join(' ')
}

function jsonWith(timeKey: string, { at, level, event, fields }: LogEntry): string {
  return JSON.stringify({ [timeKey]: new Date(at).toISOString(), level, event, ...fields }, errorsAsText)
}

function plain(value: unknown): string {
  if (typeof value === 'string') return /\s/.test(value) ? JSON.stringify(value) : value
  if (value instanceof Error) return JSON.stringify(value.message)
  return JSON.stringify(value, errorsAsText) ?? String(value)
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
