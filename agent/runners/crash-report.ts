import { messageOf, type Secret } from '../../core/model/index.ts'
import type { Engine, EngineRunner } from '../engines/engine.ts'
import type { EndedEntry } from '../state/ledger.ts'

/** Enough for the last screens of a runner, and for one or two messages. */
const LOG_TAIL_MAX_BYTES = 16 * 1024

/** Shapes of credentials that sources hand out, for what a job printed of them before an agent restarted. */
const TOKEN_SHAPES = /\b(?:sf_[a-z]{2,4}_|gh[a-z]_|github_pat_|eyJ)[\w.-]{16,}/g

/**
 * The record of a runner that ended badly, as JSON text: its end, its times, its last log lines, and what the engine
 * can tell of it. Collected while its container is still there. Parts that can't be had say why.
 */
export async function collectBlackBox(
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

/** Hides the runner's own secrets wherever its job printed them, also as JSON and base64 spell them. */
export function redact(text: string, secrets: readonly Secret[]): string {
  const spellings = secrets.flatMap((secret) => {
    const value = secret.reveal()
    return [value, JSON.stringify(value).slice(1, -1), Buffer.from(value).toString('base64')]
  })
  const known = spellings.filter((value) => value !== '')
  return known
    .reduce((hidden, value) => hidden.replaceAll(value, '[secret]'), text)
    .replace(TOKEN_SHAPES, '[secret]')
}
