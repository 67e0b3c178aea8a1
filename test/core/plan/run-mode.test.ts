import { describe, expect, it } from 'vitest'
import {
  type EpochMs,
  fence,
  type Lease,
  NO_NOTES,
  parseBusyHours,
  RELEASED_AT,
} from '../../../core/model/index.ts'
import {
  isWithin,
  decideOnLease,
  mayPollOnly,
  staysInQuiet,
  type LeaseFacts,
} from '../../../core/plan/index.ts'

/** A Monday, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 10, 2)
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('busy hours', () => {
  it.each<[string, number, boolean]>([
    ['1-5 07:00-19:00', 7 * HOUR - 1, false],
    ['1-5 07:00-19:00', 7 * HOUR, true],
    ['1-5 07:00-19:00', 19 * HOUR - 1, true],
    ['1-5 07:00-19:00', 19 * HOUR, false],
    ['1-5 07:00-19:00', 5 * DAY + 12 * HOUR, false],
    ['7 00:00-24:00', 6 * DAY + 23 * HOUR, true],
    ['7 00:00-24:00', 7 * DAY, false],
    ['6-1 10:00-11:00', 10 * HOUR, true],
    ['6-1 10:00-11:00', DAY + 10 * HOUR, false],
    ['5 22:00-06:00', 4 * DAY + 23 * HOUR, true],
    ['5 22:00-06:00', 5 * DAY + 5 * HOUR, true],
    ['5 22:00-06:00', 4 * DAY + 5 * HOUR, false],
    ['7 22:00-06:00', 7 * DAY + 5 * HOUR, true],
  ])('%s, %i ms after Monday began: %s', (text, since, busy) => {
    expect(isWithin(parseBusyHours(text), MONDAY + since)).toBe(busy)
  })

  it('that nobody can read are refused', () => {
    expect(() => parseBusyHours('always')).toThrow(expect.objectContaining({ code: 'busy-hours-invalid' }))
  })
})

describe('in the quiet', () => {
  const busyHours = parseBusyHours('1 07:00-19:00')
  it.each([
    ['continuous', 30 * DAY, true],
    ['auto', 15 * MINUTE - 1, true],
    ['auto', 15 * MINUTE, false],
    ['economy', MINUTE - 1, true],
    ['economy', MINUTE, false],
  ] as const)('%s, %i ms after the last work: stays %s', (mode, since, stays) => {
    expect(staysInQuiet({ mode, busyHours }, MONDAY - since, MONDAY)).toBe(stays)
  })

  it('only auto stays for its busy hours', () => {
    const at = MONDAY + 12 * HOUR
    expect(staysInQuiet({ mode: 'auto', busyHours }, 0, at)).toBe(true)
    expect(staysInQuiet({ mode: 'economy', busyHours }, 0, at)).toBe(false)
  })
})

const NOW: EpochMs = MONDAY
const FACTS: LeaseFacts = { now: NOW, build: 'b2', dueAt: NOW - 500 }

function held(over: Partial<Lease> = {}): Lease {
  return {
    holder: 'somebody',
    build: 'b2',
    fence: fence(7),
    takenAt: NOW - 5 * MINUTE,
    expiresAt: NOW + 17_000,
    handOverAt: NOW + 9 * MINUTE,
    yieldTo: null,
    notes: { ...NO_NOTES, workLeft: false },
    ...over,
  }
}

describe('a tick that finds the lease', () => {
  it.each<[string, Lease | null, string]>([
    ['never taken', null, 'take'],
    ['over', held({ expiresAt: NOW }), 'take'],
    ['released', held({ expiresAt: RELEASED_AT }), 'take'],
    ['held, far from its hand-over', held(), 'leave'],
    ['held for ever', held({ handOverAt: null }), 'leave'],
    ['due for hand-over before the next tick', held({ handOverAt: NOW + 70_000 }), 'ask'],
    ['asked by a tick of our build', held({ handOverAt: NOW + 70_000, yieldTo: 'b2' }), 'wait'],
    ['not renewed lately', held({ expiresAt: NOW + 8_000 }), 'wait'],
    ['held by an older build', held({ build: 'b1' }), 'ask'],
    ['held by an older build that was asked', held({ build: 'b1', yieldTo: 'b2' }), 'wait'],
    ['held by an older build that another one asked', held({ build: 'b1', yieldTo: 'b3' }), 'ask'],
    ['asked for by a newer build than ours', held({ yieldTo: 'b3' }), 'leave'],
    ['taken by a build that came after it was due', held({ build: 'b3', takenAt: NOW - 400 }), 'leave'],
    ['taken by another build just before', held({ build: 'b3', takenAt: NOW - 20_000 }), 'leave'],
  ])('%s', (_, lease, verdict) => {
    expect(decideOnLease(lease, FACTS)).toBe(verdict)
  })
})

describe('one look is enough', () => {
  const rule = { mode: 'economy', busyHours: null } as const
  const left = held({ expiresAt: RELEASED_AT })
  it.each<[string, Lease | null, boolean]>([
    ['after a holder that left nothing behind', left, true],
    ['before anybody ever looked', null, false],
    ['after a holder that was killed', { ...left, expiresAt: NOW - 1 }, false],
    ['after another build', { ...left, build: 'b1' }, false],
    ['while work is left', { ...left, notes: { ...left.notes, workLeft: true } }, false],
    ['while work was seen lately', { ...left, notes: { ...left.notes, lastWorkAt: NOW - 1_000 } }, false],
    ['a quarter of an hour after the last full look', { ...left, takenAt: NOW - 15 * MINUTE }, false],
  ])('%s: %#', (_, lease, enough) => {
    expect(mayPollOnly(lease, FACTS, rule)).toBe(enough)
  })
})
