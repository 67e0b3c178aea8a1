import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Backoff,
  epoch,
  type EndCode,
  type GoneRunner,
  hostId,
  reservationId,
  runnerId,
  type RunnerFacts,
} from '../../../core/model/index.ts'
import { isHostFault, nextBackoff, reportOf } from '../../../core/plan/index.ts'
import { NOW, SHIPFOX, seed, template } from './worlds.ts'

const facts: RunnerFacts = {
  id: runnerId('00000000-0000-7000-8000-000000000001'),
  template: template('linux').key,
  host: hostId('a'),
  source: SHIPFOX,
  labels: ['linux'],
  reservation: { id: reservationId('r-1'), expiresAt: NOW + 60_000 },
  reservedAt: NOW - 5_000,
  cpuMillis: 1000,
  memoryMib: 1024,
  stop: null,
}
const stop = { reason: 'canceled', requestedAt: NOW } as const

function gone(code: EndCode, parts: Partial<GoneRunner> = {}): GoneRunner {
  return {
    ...facts,
    state: 'gone',
    outcome: 'failed',
    code,
    reason: `It ended: ${code}.`,
    exitCode: 1,
    startedAt: NOW - 60_000,
    goneAt: NOW,
    ...parts,
  }
}

describe('what a source hears of a runner', () => {
  const told = { id: facts.id, template: 'linux', labels: ['linux'], reservation: 'r-1' }

  it('S5: is nothing while it is only reserved', () => {
    expect(reportOf({ ...facts, state: 'reserved' }, NOW)).toBe(null)
  })

  it('S5: is starting, running and stopping, at the time of the report', () => {
    const dispatched = { ...facts, state: 'dispatched', epoch: epoch(1), dispatchedAt: NOW - 9 } as const
    const running = { ...facts, state: 'running', startedAt: NOW - 9 } as const
    expect(reportOf(dispatched, NOW)).toEqual({ ...told, state: 'starting', reason: null, at: NOW })
    expect(reportOf({ ...dispatched, stop }, NOW)).toMatchObject({ state: 'starting' })
    expect(reportOf(running, NOW)).toEqual({ ...told, state: 'running', reason: null, at: NOW })
    expect(reportOf({ ...running, stop }, NOW)).toMatchObject({ state: 'stopping', reason: 'canceled' })
  })

  it.each<[EndCode, GoneRunner['outcome'], string]>([
    ['exited', 'finished', 'stopped'],
    ['stopped', 'failed', 'terminated'],
    ['exited-with-error', 'failed', 'failed'],
    ['never-arrived', 'failed', 'failed'],
    ['host-dead', 'lost', 'failed'],
  ])('S5: is how it ended, with the reason and the time of its end: %s, %s', (code, outcome, state) => {
    expect(reportOf(gone(code, { outcome, goneAt: NOW - 7 }), NOW)).toEqual({
      ...told,
      state,
      reason: `It ended: ${code}.`,
      at: NOW - 7,
    })
  })

  it('S5: names no reservation for a warm runner', () => {
    expect(reportOf(gone('exited', { reservation: null }), NOW)).toMatchObject({ reservation: null })
  })
})

describe(`the pause of a host from a template (seed ${seed})`, () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  it.each<EndCode>([
    'image-unavailable',
    'engine-failed',
    'engine-unreachable',
    'never-started',
    'host-rebooted',
  ])('H7: follows an end that the host is to blame for: %s', (code) =>
    expect(isHostFault(gone(code))).toBe(true),
  )

  it.each<EndCode>([
    'exited',
    'stopped',
    'max-lifetime',
    'out-of-memory',
    'mint-refused',
    'reservation-expired',
  ])('H7: does not follow an end that it is not: %s', (code) => expect(isHostFault(gone(code))).toBe(false))

  it('G16: follows a container that failed in its first three seconds, not a job that failed later', () => {
    expect(isHostFault(gone('exited-with-error', { startedAt: NOW - 2_999 }))).toBe(true)
    expect(isHostFault(gone('exited-with-error', { startedAt: NOW - 3_000 }))).toBe(false)
    expect(isHostFault(gone('exited-with-error', { startedAt: null }))).toBe(false)
    expect(isHostFault(gone('exited', { startedAt: NOW - 1 }))).toBe(false)
  })

  it('20: doubles with each failure in a row, with jitter, from seconds up to five minutes', () => {
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 40 }), (units) => {
        let backoff: Backoff | undefined
        let now = NOW
        for (const [failures, at] of units.entries()) {
          backoff = nextBackoff(backoff, now, at)
          const ceiling = Math.min(5_000 * 2 ** failures, 300_000)
          expect(backoff.failures).toBe(failures + 1)
          expect(backoff.until - now).toBeGreaterThanOrEqual(ceiling / 2)
          expect(backoff.until - now).toBeLessThanOrEqual(ceiling)
          now = backoff.until
        }
      }),
      { seed },
    )
  })

  it('H7: counts a burst that fails together once', () => {
    const first = nextBackoff(undefined, NOW, 0.5)
    let backoff = first
    for (let failure = 1; failure < 100; failure += 1) backoff = nextBackoff(backoff, NOW + failure, 0.5)
    expect(backoff).toEqual(first)
    expect(nextBackoff(backoff, first.until, 0.5).failures).toBe(2)
  })
})
