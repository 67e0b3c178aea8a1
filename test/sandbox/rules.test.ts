import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recheckPauseMs } from '../../sandbox/http/provisioner-routes.ts'
import { planGrants } from '../../sandbox/rules/grants.ts'
import { cancelJob } from '../../sandbox/rules/jobs.ts'
import { canonicalLabels } from '../../sandbox/rules/labels.ts'
import { assignInstances, countMintRequest, mintRegistrationTokens } from '../../sandbox/rules/minting.ts'
import { reconcileRunners } from '../../sandbox/rules/reports.ts'
import { createReservation } from '../../sandbox/rules/reservations.ts'
import { requireRegisterToken } from '../../sandbox/rules/sessions.ts'
import { Bench, codeOf, linux } from './world.ts'

describe('grants', () => {
  it('go to the most specific label set first, then to the one that waits longest', () => {
    const sets = [
      { labels: ['a'], unreserved: 2, oldestQueuedAt: 1 },
      { labels: ['b'], unreserved: 2, oldestQueuedAt: 0 },
      { labels: ['a', 'b'], unreserved: 2, oldestQueuedAt: 9 },
    ]
    const grants = planGrants(sets, [{ labels: ['a', 'b'], free: 5 }], [], 100)
    expect(grants.map(({ labels, count }) => [labels.join('+'), count])).toEqual([
      ['a+b', 2],
      ['b', 2],
      ['a', 1],
    ])
  })

  it('never exceed demand, slots or the maximum, and name each label set once', () => {
    const labels = fc
      .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 })
      .map(canonicalLabels)
    const waiting = fc.uniqueArray(
      fc.record({ labels, unreserved: fc.integer({ min: 1, max: 20 }), oldestQueuedAt: fc.nat(1000) }),
      { selector: (set) => set.labels.join() },
    )
    const templates = fc.array(fc.record({ labels, free: fc.nat(10) }), { maxLength: 5 })
    const held = fc.array(fc.record({ labels, count: fc.nat(10) }), { maxLength: 3 })
    fc.assert(
      fc.property(waiting, templates, held, fc.nat(30), (sets, offers, mine, max) => {
        const grants = planGrants(sets, offers, mine, max)
        const total = grants.reduce((sum, grant) => sum + grant.count, 0)
        const free = offers.reduce((sum, offer) => sum + offer.free, 0)
        expect(total).toBeLessThanOrEqual(Math.min(max, free))
        expect(new Set(grants.map((grant) => grant.labels.join())).size).toBe(grants.length)
        for (const { labels: granted, count } of grants) {
          const wanted = sets.find((set) => set.labels.join() === granted.join())
          expect(count).toBeGreaterThan(0)
          expect(count).toBeLessThanOrEqual(wanted?.unreserved ?? 0)
          const room = offers.filter((offer) => granted.every((label) => offer.labels.includes(label)))
          expect(count).toBeLessThanOrEqual(room.reduce((sum, offer) => sum + offer.free, 0))
        }
      }),
    )
  })

  it('are for 60 s, not renewable, and return to demand when they expire', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'], 3)
    expect(bench.granted([linux(5)])).toEqual({ linux: 3 })
    bench.at = 59.999
    expect(bench.granted([linux(50)])).toEqual({})
    bench.at = 60
    expect(bench.granted([linux(5)])).toEqual({ linux: 3 })
  })

  it('re-check an open poll with full jitter over 1.0 s, growing by half up to 5 s', () => {
    const most = [0, 1, 2, 3, 4, 5, 50].map((attempt) => recheckPauseMs(attempt, () => 1))
    expect(most).toEqual([1000, 1500, 2250, 3375, 5000, 5000, 5000])
    expect(recheckPauseMs(3, () => 0)).toBe(0)
    expect(recheckPauseMs(1, () => 0.5)).toBe(750)
  })
})

describe('a v1 server', () => {
  it('subtracts own live reservations even from slots that were lowered already', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'], 6)
    expect(bench.granted([linux(10)])).toEqual({ linux: 6 })
    bench.queue(['linux'], 4)
    expect(bench.granted([linux(4)])).toEqual({})
  })

  it('does not release the unit of a claimed job before the reservation expires', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    bench.report('r1', 'starting', { reservationId: reservation!.id })
    const session = bench.registerV1(reservation!.id, 'r1', ['linux'])
    expect(bench.claim(session)).not.toBeNull()
    bench.queue(['linux'])
    bench.at = 59
    expect(bench.granted([linux(5)])).toEqual({})
    bench.at = 60
    expect(bench.granted([linux(5)])).toEqual({ linux: 1 })
  })

  it('gives a unit back on a terminal report with the reservation id, once per runner', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'], 2)
    const [reservation] = bench.poll([linux(5)]).reservations
    expect(bench.report('r1', 'failed').reservationsReleased).toBe(0)
    const named = { reservationId: reservation!.id }
    expect(bench.report('r2', 'failed', named).reservationsReleased).toBe(1)
    expect(bench.report('r2', 'terminated', named).reservationsReleased).toBe(0)
    expect(bench.granted([linux(5)])).toEqual({ linux: 1 })
  })

  it('gives no unit back for a runner that registered', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    bench.report('r1', 'starting', { reservationId: reservation!.id })
    bench.registerV1(reservation!.id, 'r1', ['linux'])
    expect(bench.report('r1', 'failed').reservationsReleased).toBe(0)
  })

  it('shrinks the reservation on a release but not what it counts as minted', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'], 2)
    const { id } = bench.poll([linux(5)]).reservations[0]!
    mintRegistrationTokens(bench.world, id, ['r1'], bench.now)
    bench.report('r1', 'failed', { reservationId: id })
    expect(codeOf(() => mintRegistrationTokens(bench.world, id, ['r2'], bench.now))).toBe(
      'batch-exceeds-reservation',
    )
  })

  it('mints again for an id whose token was used, but not while it holds an unused one', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'], 3)
    const { id } = bench.poll([linux(5)]).reservations[0]!
    bench.registerV1(id, 'r1', ['linux'])
    expect(codeOf(() => mintRegistrationTokens(bench.world, id, ['r1'], bench.now))).toBe('no error')
    expect(codeOf(() => mintRegistrationTokens(bench.world, id, ['r1'], bench.now))).toBe(
      'registration-token-active',
    )
  })

  it('mints 120 times in a fixed window of 60 s', () => {
    const bench = new Bench('v1')
    bench.at = 5
    for (let request = 0; request < 120; request += 1) countMintRequest(bench.world, bench.now)
    bench.at = 64.5
    expect(codeOf(() => countMintRequest(bench.world, bench.now))).toBe('rate-limited')
    bench.at = 65
    expect(codeOf(() => countMintRequest(bench.world, bench.now))).toBe('no error')
  })

  it('lets a token try to register five times in 60 s', () => {
    const bench = new Bench('v1')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(1)]).reservations
    const [minted] = mintRegistrationTokens(bench.world, reservation!.id, ['r1'], bench.now)
    const attempt = (): string => codeOf(() => requireRegisterToken(bench.world, minted!.token, bench.now))
    expect(Array.from({ length: 6 }, attempt)).toEqual([
      ...Array.from({ length: 5 }, () => 'no error'),
      'rate-limited',
    ])
    bench.at = 60
    expect(attempt()).toBe('no error')
  })
})

describe('a v2 server', () => {
  it('subtracts only units that have not become instances', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'], 6)
    const [reservation] = bench.poll([linux(10)]).reservations
    for (let n = 0; n < 6; n += 1) bench.launchV2(reservation!.id, `r${n}`)
    bench.queue(['linux'], 4)
    expect(bench.granted([linux(4)])).toEqual({ linux: 4 })
  })

  it('releases the unit at the first claim, so that new demand is granted at once', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    const session = bench.enrolV2(bench.launchV2(reservation!.id, 'r1'), ['linux'])
    bench.claim(session!)
    bench.queue(['linux'])
    expect(bench.granted([linux(4)])).toEqual({ linux: 1 })
  })

  it('releases the unit on a terminal report by its own record, once', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    bench.launchV2(reservation!.id, 'r1')
    expect(bench.report('r1', 'failed').reservationsReleased).toBe(1)
    expect(bench.report('r1', 'terminated').reservationsReleased).toBe(0)
    expect(bench.granted([linux(4)])).toEqual({ linux: 1 })
  })

  it('adopts a runner whose reservation expired, without a reservation to launch for', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    const launched = bench.launchV2(reservation!.id, 'r1')
    bench.at = 61
    expect(bench.enrolV2(launched, ['linux', 'big'])).toBeNull()
    const answer = bench.poll([linux(5)])
    expect(answer).toMatchObject({ reservations: [], newlyReserved: 1, immediate: true })
    expect(bench.poll([linux(5)]).newlyReserved).toBe(0)
  })

  it('adopts warm runners first and grants only the rest', () => {
    const bench = new Bench('v2')
    bench.enrolV2(bench.launchV2(null, 'warm'), ['linux'])
    bench.queue(['linux'], 3)
    const answer = bench.poll([linux(5)])
    expect(answer.reservations.map(({ count }) => count)).toEqual([2])
    expect(answer.newlyReserved).toBe(3)
  })

  it('counts adopted units against the maximum of the poll', () => {
    const bench = new Bench('v2')
    bench.enrolV2(bench.launchV2(null, 'warm'), ['linux'])
    bench.queue(['linux'], 3)
    const answer = bench.poll([linux(5)], 2)
    expect([answer.newlyReserved, answer.reservations.map(({ count }) => count)]).toEqual([2, [1]])
  })

  it('assigns no more runners than the reservation has room for, and none that holds another', () => {
    const bench = new Bench('v2')
    const warm = ['w1', 'w2'].map((id) => bench.launchV2(null, id))
    bench.queue(['linux'])
    const { id: first } = bench.poll([linux(5)]).reservations[0]!
    for (const each of warm) bench.enrolV2(each, ['linux'])
    const ids = warm.map(({ instanceId }) => instanceId)
    const assign = (reservationId: string, instanceIds: string[]) =>
      codeOf(() => assignInstances(bench.world, reservationId, instanceIds, bench.now))
    expect(assign(first, ids)).toBe('runner-instance-not-assignable')
    expect(assign(first, ids.slice(0, 1))).toBe('no error')
    const second = createReservation(
      bench.world,
      { labels: ['linux'], count: 1, bound: 0, ttlMs: 60_000 },
      bench.now,
    )
    expect(assign(second.id, ids.slice(0, 1))).toBe('runner-instance-not-assignable')
    expect(assign(second.id, ids.slice(1))).toBe('no error')
  })

  it('never asks for the end of an old runner that has a session', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const { id } = bench.poll([linux(5)]).reservations[0]!
    bench.enrolV2(bench.launchV2(id, 'r1'), ['linux'])
    bench.at = 4000
    expect(bench.poll([linux(0)]).terminate).toEqual([])
  })

  it('asks for the end of a launched runner that never got a session, after 300 s without a reservation', () => {
    const bench = new Bench('v2')
    const [job] = bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    bench.enrolV2(bench.launchV2(null, 'warm'), ['linux'])
    const launched = bench.launchV2(reservation!.id, 'late')
    cancelJob(bench.world, job!, bench.now)
    bench.at = 70
    bench.enrolV2(launched, ['linux'])
    bench.at = 300
    expect(bench.poll([linux(5)]).terminate).toEqual([])
    bench.at = 300.001
    expect(bench.poll([linux(5)])).toMatchObject({ terminate: ['late'], immediate: true })
    bench.report('late', 'terminated')
    expect(bench.poll([linux(5)]).terminate).toEqual([])
  })

  it('does not reap a runner that has not enrolled', () => {
    const bench = new Bench('v2')
    bench.launchV2(null, 'r1')
    bench.at = 130
    expect(reconcileRunners(bench.world, ['other'], bench.now).terminatedAbsent).toEqual([])
  })
})
