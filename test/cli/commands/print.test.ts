import { describe, expect, it } from 'vitest'
import { ago, asJson, printable, printableLines, table } from '../../../cli/commands/print.ts'

const HOSTILE = 'a\u001b[2J\u009b31mb\u202ec\rd\ne\u0007'

describe('what is printed', () => {
  it('X9: never steers the terminal, whatever a job or host put into it', () => {
    const steers = (text: string): boolean => /[\p{Cc}\p{Cf}]/u.test(text.replaceAll('\n', ''))
    for (const text of [
      printable(HOSTILE),
      table(['T'], [[HOSTILE]]),
      asJson({ text: HOSTILE, [HOSTILE]: 1 }),
    ])
      expect(steers(text)).toBe(false)
    expect(printable(HOSTILE)).toBe('a [2J 31mb c d e')
    expect(JSON.parse(asJson({ text: HOSTILE }))).toEqual({ text: HOSTILE })
    expect(printableLines('one\r\ntwo\u001b[0m')).toEqual(['one', 'two [0m'])
  })

  it('is aligned, and an empty cell shows as one', () => {
    const rows = [
      ['long-name', '', 'note'],
      ['ä', 'b', ''],
    ]
    expect(table(['NAME', 'X', ''], rows)).toBe('NAME       X\nlong-name  -  note\nä          b\n')
  })

  it('tells times as people do', () => {
    const now = 1_800_000_000_000
    const said = [null, now + 5_000, now - 59_000, now - 61_000, now - 3_700_000, now - 90_000_000]
    expect(said.map((at) => ago(at, now))).toEqual([
      'never',
      '0s ago',
      '59s ago',
      '1m ago',
      '1h ago',
      '1d ago',
    ])
  })
})
