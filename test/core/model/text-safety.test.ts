import { describe, expect, it } from 'vitest'
import {
  escapeUnprintable,
  hasControlCharacter,
  holdsShipfoxToken,
  isProvisionerToken,
  redactTokens,
  shipfoxPrefixOf,
  toPrintableLine,
} from '../../../core/model/index.ts'

const HOSTILE = 'a\u001B[2J\u009B31mb\u202Ec\u2028d\r\ne\u0007'
const RANDOM = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ'

describe('a text of others', () => {
  it('becomes one line that steers nothing', () => {
    expect(toPrintableLine(HOSTILE)).toBe('a [2J 31mb c d e ')
    expect(escapeUnprintable(HOSTILE)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  })

  it('that is escaped as JSON is still the same JSON, characters beyond the basic plane too', () => {
    const text = `${HOSTILE}\u{E0001}😀`
    expect(JSON.parse(escapeUnprintable(JSON.stringify(text)))).toBe(text)
  })

  it('keeps letters of every script, emoji and spaces', () => {
    const text = 'Größe 尺寸 😀 "x"\\n'
    expect([toPrintableLine(text), escapeUnprintable(text)]).toEqual([text, text])
  })

  it('has a control character or not', () => {
    expect(['a\u0000', 'a\nb', 'a\u009B'].map(hasControlCharacter)).toEqual([true, true, true])
    expect(['a b', 'é', ''].map(hasControlCharacter)).toEqual([false, false, false])
  })
})

describe('a token', () => {
  it.each([
    `sf_pt_${RANDOM}`,
    `SF_RBT_${RANDOM}`,
    'sf_pt_cut',
    `sla_build-1_${RANDOM}`,
    `ghp_${RANDOM}`,
    `github_pat_${RANDOM}`,
    `eyJhbGciOiJIUzI1NiJ9.${RANDOM}.${RANDOM}`,
  ])('is redacted by its shape: %s', (token) => {
    expect(redactTokens(`Bearer ${token}, x=${token}`)).toBe('Bearer [secret], x=[secret]')
  })

  it.each(['self_of_x', 'sla_short', 'highway', 'a sha256:0123456789abcdef', 'keyJ'])(
    'is not seen in %s',
    (text) => {
      expect(redactTokens(text)).toBe(text)
    },
  )

  it('is found in a longer text, cut or in capitals, but a short name is none', () => {
    expect([`x sf_rt_${RANDOM}`, `SF_PT_${RANDOM.slice(0, 20)}`].map(holdsShipfoxToken)).toEqual([true, true])
    expect(['sf_lib_x', RANDOM].map(holdsShipfoxToken)).toEqual([false, false])
  })

  it('of a provisioner has its prefix and 43 characters', () => {
    expect(isProvisionerToken(`sf_pt_${RANDOM}`)).toBe(true)
    expect([`sf_pt_${RANDOM}x`, `sf_ert_${RANDOM}`, ` sf_pt_${RANDOM}`].some(isProvisionerToken)).toBe(false)
    expect(['sf_ert_x', 'x sf_ert_x', 'none'].map(shipfoxPrefixOf)).toEqual(['sf_ert_', null, null])
  })
})
