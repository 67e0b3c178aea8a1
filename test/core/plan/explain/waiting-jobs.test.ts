import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reservationId } from '../../../../core/model/index.ts'
import {
  explainWaiting,
  oldestFirst,
  planDemand,
  planClaims,
  formatRefusal,
  ungranted,
} from '../../../../core/plan/index.ts'
import {
  anyWaiting,
  anyWorld,
  demand,
  GITHUB,
  promiseOn,
  hostView,
  NOW,
  SHIPFOX,
  seed,
  template,
  waiting,
  world,
} from '../worlds.ts'

describe(`why jobs wait (seed ${seed})`, () => {
  it('is told for each job that finds no place, and for no other', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, anyWaiting, (made, jobs, theirs) => {
        const { promises } = planDemand(made, demand(GITHUB, theirs), [], 4)
        const refusals = explainWaiting(made, SHIPFOX, jobs, promises)
        const grants = oldestFirst(jobs).map((each, index) => ({
          id: reservationId(`r-${index}`),
          labels: each.labels,
          count: ungranted(each),
          expiresAt: NOW + 60_000,
        }))
        const { runners } = planClaims(made, SHIPFOX, grants, promises)
        for (const grant of grants) {
          const placed = runners.filter(({ reservation }) => reservation === grant).length
          const refused = refusals.filter(({ labels }) => labels === grant.labels)
          expect(refused.reduce((sum, { count }) => sum + count, 0)).toBe(grant.count - placed)
          expect(refused.every(({ count }) => count > 0)).toBe(true)
        }
      }),
      { seed },
    )
  })

  it('is the same for the same world, in whatever order the source tells its jobs', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, (made, jobs) => {
        const said = explainWaiting(made, SHIPFOX, jobs, []).map(formatRefusal)
        expect(explainWaiting(made, SHIPFOX, jobs.toReversed(), []).map(formatRefusal)).toEqual(said)
      }),
      { seed },
    )
  })

  it('does not change as round-robin goes on', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, (made, jobs) => {
        const unused = { ...made, hosts: made.hosts.map((view) => ({ ...view, starting: 1_000 })) }
        const said = explainWaiting(unused, SHIPFOX, jobs, [])
        expect(explainWaiting({ ...unused, lastHost: new Map() }, SHIPFOX, jobs, [])).toEqual(said)
      }),
      { seed },
    )
  })

  it('is that another source was promised the room, only as far as its room would do', () => {
    const linux = template('linux')
    const made = world([linux], [hostView('a', { capacity: { runners: 3 } })])
    const promises = [promiseOn(linux, hostView('a').host.id), promiseOn(linux, hostView('a').host.id)]
    const counts = (queued: number): unknown =>
      explainWaiting(made, SHIPFOX, [waiting(['linux'], queued)], promises).map(({ count, reason }) => [
        count,
        reason.code,
      ])
    expect(counts(1)).toEqual([])
    expect(counts(2)).toEqual([[1, 'waiting-for-share']])
    expect(counts(6)).toEqual([
      [2, 'waiting-for-share'],
      [3, 'no-room'],
    ])
  })

  it('is what would keep a job waiting even if nothing were promised to others', () => {
    const linux = template('linux', { maxConcurrency: 1 })
    const made = world([linux, template('other')], [hostView('a', { capacity: { runners: 1 } })])
    const refusals = explainWaiting(
      made,
      SHIPFOX,
      [waiting(['linux'], 2)],
      [promiseOn(made.templates[1]!, hostView('a').host.id)],
    )
    expect(refusals.map(({ count, reason }) => [count, reason.code])).toEqual([
      [1, 'waiting-for-share'],
      [1, 'template-full'],
    ])
  })

  it('is told for older jobs as if they had been placed first', () => {
    const made = world([template('linux')], [hostView('a', { capacity: { runners: 1 } })])
    const young = waiting(['linux'], 1, { oldestQueuedAt: NOW })
    const old = waiting([], 1, { oldestQueuedAt: NOW - 1 })
    expect(explainWaiting(made, SHIPFOX, [young, old], [])).toMatchObject([{ labels: ['linux'], count: 1 }])
  })
})
