import { describe, expect, it } from 'vitest'
import {
  type Effect,
  kindOfRefusal,
  kindOfSilence,
  readRefusal,
  readRetryAfter,
  refusalError,
} from '../../../adapters/shipfox/failures.ts'
import { generationBy } from '../../../adapters/shipfox/generation.ts'
import { HttpFailure } from '../../../adapters/shipfox/http.ts'
import type { SourceFailureKind } from '../../../core/ports/index.ts'

const DOES = { does: 'poll for demand', effect: 'once' as Effect }
const NOTHING = { message: null, details: undefined, retryAfterMs: null }

describe('what a refused call means', () => {
  const table: [
    status: number,
    code: string | null,
    repeatable: SourceFailureKind,
    once: SourceFailureKind,
  ][] = [
    [400, 'validation-error', 'protocol', 'protocol'],
    [400, 'invalid-json-body', 'protocol', 'protocol'],
    [400, 'empty-json-body', 'protocol', 'protocol'],
    [400, 'batch-too-large', 'protocol', 'protocol'],
    [401, 'unauthorized', 'unauthorized', 'unauthorized'],
    [401, 'provisioner-token-expired', 'unauthorized', 'unauthorized'],
    [401, 'provisioner-token-revoked', 'unauthorized', 'unauthorized'],
    [401, null, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'unauthorized', 'unauthorized'],
    [404, 'not-found', 'protocol', 'protocol'],
    [404, 'reservation-not-found', 'protocol', 'protocol'],
    [404, null, 'protocol', 'protocol'],
    [408, null, 'unavailable', 'unknown-outcome'],
    [409, 'reservation-expired', 'protocol', 'protocol'],
    [409, 'batch-exceeds-reservation', 'protocol', 'protocol'],
    [409, 'registration-token-active', 'protocol', 'protocol'],
    [413, 'body-too-large', 'protocol', 'protocol'],
    [415, 'invalid-media-type', 'protocol', 'protocol'],
    [429, 'rate-limited', 'rate-limited', 'rate-limited'],
    [429, null, 'rate-limited', 'rate-limited'],
    [500, 'server-error', 'unavailable', 'unknown-outcome'],
    [502, null, 'unavailable', 'unknown-outcome'],
    [503, 'runners-rate-limit-unavailable', 'unavailable', 'unavailable'],
    [503, null, 'unavailable', 'unknown-outcome'],
    [504, null, 'unavailable', 'unknown-outcome'],
    [301, null, 'protocol', 'protocol'],
    [204, null, 'protocol', 'protocol'],
  ]
  it.each(table)('%i %s', (status, code, repeatable, once) => {
    expect(kindOfRefusal(status, code, 'repeatable')).toBe(repeatable)
    expect(kindOfRefusal(status, code, 'once')).toBe(once)
  })

  it.each(table)('%i %s is told with its status, its code and what to do', (status, code) => {
    const { message } = refusalError({ ...NOTHING, status, code }, DOES, 'https://api.test/x')
    expect(message).toContain('poll for demand')
    expect(message).toContain('https://api.test/x')
    expect(message).toContain(String(status))
    expect(message).toContain(code ?? '')
    expect(message).toMatch(/\.$/)
    expect(message).not.toContain('undefined')
  })
})

describe('what a call without an answer means', () => {
  const failure = (code: string, sent: boolean) => new HttpFailure(code, { sent, reusedSocket: false })
  it.each([
    ['ECONNREFUSED', false, 'once', 'unavailable'],
    ['ECONNREFUSED', false, 'repeatable', 'unavailable'],
    ['ECONNRESET', true, 'once', 'unknown-outcome'],
    ['ECONNRESET', true, 'repeatable', 'unavailable'],
    ['deadline', true, 'once', 'unknown-outcome'],
    ['deadline', false, 'once', 'unavailable'],
    ['aborted', true, 'once', 'unknown-outcome'],
    ['answer-too-large', true, 'once', 'protocol'],
  ] as const)('%s, sent: %s, %s', (code, sent, effect, kind) => {
    expect(kindOfSilence(failure(code, sent), effect)).toBe(kind)
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-07-01T12:00:00Z')
  it.each([
    ['7', undefined, 429, 7000],
    ['0', undefined, 429, 1000],
    ['86400', undefined, 429, 300_000],
    ['Wed, 01 Jul 2026 12:00:20 GMT', undefined, 429, 20_000],
    ['Wed, 01 Jul 2026 11:00:00 GMT', undefined, 429, 1000],
    [null, 12, 429, 12_000],
    ['soon', 12, 429, 12_000],
    [null, 'x', 429, 60_000],
    [null, undefined, 429, 60_000],
    ['3', undefined, 503, 3000],
    [null, undefined, 503, null],
  ] as const)('%s and %s seconds with %i: %s ms', (header, seconds, status, ms) => {
    expect(readRetryAfter(header, seconds, { status, serverNow: now })).toBe(ms)
  })
})

describe('reading a refusal', () => {
  const read = (body: unknown) => readRefusal({ status: 400, body, retryAfter: null, serverNow: 0 })

  it.each([undefined, null, 'text', [], {}, { code: 7 }])('has no code for %j', (body) => {
    expect(read(body).code).toBeNull()
  })

  it('takes nothing for a code that could be something else', () => {
    expect(read({ code: 'sf_pt_abc' }).code).toBeNull()
    expect(read({ code: 'Bearer x' }).code).toBeNull()
    expect(read({ code: 'batch-too-large' }).code).toBe('batch-too-large')
  })
})

describe('telling the generations apart', () => {
  it.each([
    [400, 'validation-error', 'v1'],
    [403, 'forbidden', 'v1'],
    [429, 'rate-limited', 'v1'],
    [503, 'runners-rate-limit-unavailable', 'v1'],
    [404, 'not-found', 'v2'],
    [404, null, null],
    [401, 'unauthorized', null],
    [500, 'server-error', null],
    [502, null, null],
  ] as const)('%i %s: %s', (status, code, generation) => {
    expect(generationBy({ ...NOTHING, status, code })).toBe(generation)
  })
})
