import { describe, expect, it } from 'vitest'
import {
  createLog,
  jsonLine,
  lambdaLine,
  lineOf,
  type LogEntry,
  type LogLine,
  textLine,
} from '../../adapters/log/index.ts'
import { epoch, hostId, Secret } from '../../core/model/index.ts'

const LINE: LogLine = {
  at: Date.UTC(2026, 0, 31, 12, 0, 0, 250),
  level: 'error',
  event: 'host.dead',
  fields: { host: 'build-1', cause: new Error('gone'), token: new Secret('hush') },
}

const WORDS = { level: 'error', event: 'host.dead', host: 'build-1', cause: 'gone', token: '[secret]' }

describe('a line of the log', () => {
  it('is an event with its time, and with the level that its name has', () => {
    const entries: LogEntry[] = []
    const log = createLog((entry) => entries.push(entry))
    log.emit({ name: 'host.online', host: hostId('build-1'), epoch: epoch(3) })
    log.emit({ name: 'host.offline', host: hostId('build-1') })
    expect(entries.map((entry) => lineOf(entry, { mode: 'auto' }))).toEqual([
      {
        at: expect.any(Number),
        level: 'info',
        event: 'host.online',
        fields: { host: 'build-1', epoch: 3, mode: 'auto' },
      },
      {
        at: expect.any(Number),
        level: 'warn',
        event: 'host.offline',
        fields: { host: 'build-1', mode: 'auto' },
      },
    ])
  })

  it('says when, how bad, what and about what, with errors as their message and no secret', () => {
    expect(JSON.parse(jsonLine(LINE))).toEqual({ at: '2026-01-31T12:00:00.250Z', ...WORDS })
  })

  it('of a function tells its time where Lambda looks for it, or its level would count for nothing', () => {
    expect(JSON.parse(lambdaLine(LINE))).toEqual({ timestamp: '2026-01-31T12:00:00.250Z', ...WORDS })
  })

  it.each([textLine, jsonLine, lambdaLine])(
    'holds no control characters in any form (%o), whatever an agent calls its version',
    (toLine) => {
      const agentVersion = '\u001B[2J\u001B]0;owned\u0007\u009B31m\u202E\n'
      const entry = { at: 0, level: 'info', event: 'host.connected', fields: { agentVersion } } as const
      expect(toLine(entry)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    },
  )

  it('of JSON gives back what was escaped', () => {
    const fields = { agentVersion: 'a\u009B31m\u202E' }
    expect(JSON.parse(jsonLine({ ...LINE, fields }))).toMatchObject(fields)
  })
})
