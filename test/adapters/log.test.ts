import { describe, expect, it } from 'vitest'
import { jsonLine, lambdaLine, type LogEntry } from '../../adapters/log/index.ts'
import { Secret } from '../../core/model/index.ts'

const ENTRY: LogEntry = {
  at: Date.UTC(2026, 0, 31, 12, 0, 0, 250),
  level: 'error',
  event: 'host.dead',
  fields: { host: 'build-1', cause: new Error('gone'), token: new Secret('hush') },
}

const WORDS = { level: 'error', event: 'host.dead', host: 'build-1', cause: 'gone', token: '[secret]' }

describe('a line of the log', () => {
  it('says when, how bad, what and about what, with errors as their message and no secret', () => {
    expect(JSON.parse(jsonLine(ENTRY))).toEqual({ at: '2026-01-31T12:00:00.250Z', ...WORDS })
  })

  it('of a function tells its time where Lambda looks for it, or its level would count for nothing', () => {
    expect(JSON.parse(lambdaLine(ENTRY))).toEqual({ timestamp: '2026-01-31T12:00:00.250Z', ...WORDS })
  })
})
