import { HIDDEN_SECRET, messageOf, redactTokens, type Secret } from '../../core/model/index.ts'
import type { Engine, EngineRunner } from '../engines/engine.ts'
import type { EndedEntry } from '../state/ledger.ts'

/** Enough for the last screens of output; fits in one or two messages. */
const LOG_TAIL_MAX_BYTES = 16 * 1024

/**
 * The crash report of a runner, as JSON text: its end, its times, its last log lines, and the engine's description of its
 * container. Collected while the container still exists. A part that is not available says why.
 */
export async function collectCrashReport(
  engine: Engine,
  seen: EngineRunner,
  entry: EndedEntry,
  secrets: readonly Secret[],
): Promise<string> {
  const [logTail, examination] = await Promise.all([
    orReason(async () => engine.logTail(entry.runner, LOG_TAIL_MAX_BYTES)),
    orReason(async () => engine.examine(entry.runner)),
  ])
  const { createdAt, startedAt, finishedAt, exitCode, oomKilled, error } = seen
  const record = {
    runner: entry.runner,
    end: entry.end,
    exitCode,
    oomKilled,
    error,
    timeline: { createdAt, startedAt, finishedAt },
    logTail: redact(logTail, secrets),
    examination,
  }
  return redact(JSON.stringify(record), secrets)
}

async function orReason<T>(read: () => Promise<T>): Promise<T | string> {
  try {
    return await read()
  } catch (error) {
    return `not available: ${messageOf(error)}`
  }
}

/**
 * Replaces the runner's secrets in its output, also their JSON and base64 encodings, and every token by its shape: an
 * agent that restarted no longer knows the secrets of earlier runners.
 */
export function redact(text: string, secrets: readonly Secret[]): string {
  const spellings = secrets.flatMap((secret) => {
    const value = secret.reveal()
    return [value, JSON.stringify(value).slice(1, -1), Buffer.from(value).toString('base64')]
  })
  const known = spellings.filter((value) => value !== '')
  return redactTokens(known.reduce((hidden, value) => hidden.replaceAll(value, HIDDEN_SECRET), text))
}
