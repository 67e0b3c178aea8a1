import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Reservation,
  reservationId,
  type Template,
  type WaitingJobs,
} from '../../../../core/model/index.ts'
import {
  type DemandPlan,
  type ClaimPlan,
  type CapacityPromise,
  planDemand,
  planClaims,
  ungranted,
  type World,
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
  violations,
  waiting,
  world,
} from '../worlds.ts'

const NO_LIMIT = 10_000

function ask(made: World, jobs: readonly WaitingJobs[] = [], limit = NO_LIMIT): DemandPlan {
  return planDemand(made, demand(SHIPFOX, jobs), [], limit)
}

const counts = ({ capacity }: DemandPlan): Record<string, number> =>
  Object.fromEntries(capacity.map(({ template: key, available }) => [key, available]))

const promisesOf = ({ runners }: ClaimPlan): readonly CapacityPromise[] =>
  runners.map((runner) => promiseOn(runner.template, runner.host))

/** What a source may grant of an ask: any of its slots, each for any labels that its template provides. */
const anyGrant = (asked: DemandPlan, templates: readonly Template[]): fc.Arbitrary<readonly Reservation[]> =>
  fc
    .tuple(
      fc.shuffledSubarray([...asked.promises], { minLength: Math.min(1, asked.promises.length) }),
      fc.infiniteStream(fc.nat({ max: 15 })),
      fc.infiniteStream(fc.nat()),
    )
    .map(([granted, masks, order]) => {
      const sets = granted.map(({ slot }) => {
        const mask = masks.next().value
        const labels = templates.find(({ key }) => key === slot.template)?.labels ?? []
        return labels.filter((_, index) => (mask >> index) % 2 === 1).join()
      })
      return [...Map.groupBy(sets, (set) => set)]
        .map(([set, units]) => ({ set, units: units.length, at: order.next().value }))
        .toSorted((left, right) => left.at - right.at)
        .map(({ set, units }, index) => ({
          id: reservationId(`r-${index}`),
          labels: set === '' ? [] : set.split(','),
          count: units,
          expiresAt: NOW + 60_000,
        }))
    })

const small = template('small', { labels: ['linux'] })
const big = template('big', { labels: ['big', 'linux'], size: { cpuMillis: 2000, memoryMib: 1024 } })
const host = (name: string, cpu: number): ReturnType<typeof hostView> =>
  hostView(name, { capacity: { cpuMillis: cpu * 1000 } })

describe(`an ask (seed ${seed})`, () => {
  it('S1: is for what fits at once, not for what each template could have alone', () => {
    const made = world([small, big], [host('a', 3)])
    expect(ask(made).total).toBe(2)
    expect(counts(ask(made))).toEqual({ small: 1, big: 1 })
  })

  it('holds the known jobs first, oldest label set first, and fills up with any mix', () => {
    const made = world([small, big], [host('a', 5)])
    const jobs = [
      waiting(['linux'], 4, { oldestQueuedAt: NOW - 1 }),
      waiting(['big'], 1, { oldestQueuedAt: NOW - 2 }),
    ]
    expect(counts(ask(made, jobs))).toEqual({ small: 3, big: 1 })
    expect(counts(ask(made, [waiting(['big'], 2)]))).toEqual({ small: 1, big: 2 })
    expect(counts(ask(made, [waiting(['linux'], 5)]))).toEqual({ small: 5, big: 0 })
  })

  it('takes jobs whose age is unknown for the newest', () => {
    const made = world([small, big], [host('a', 2)])
    const jobs = [waiting(['linux'], 2, { oldestQueuedAt: null }), waiting(['big'], 1)]
    expect(counts(ask(made, jobs))).toEqual({ small: 0, big: 1 })
  })

  it('holds nothing for jobs that are granted already', () => {
    const made = world([small, big], [host('a', 2)])
    expect(counts(ask(made, [waiting(['big'], 3, { reserved: 3 })]))).toEqual({ small: 2, big: 0 })
    expect(counts(ask(made, [waiting(['big'], 3, { reserved: 9 })]))).toEqual({ small: 2, big: 0 })
  })

  it('tells every template that the source may use, also those with no room', () => {
    const theirs = template('theirs', { sources: { kind: 'named', ids: [GITHUB] } })
    const made = world([small, big, theirs], [host('a', 1)])
    const live = new Map([[small.key, { starting: 2, running: 3 }]])
    expect(ask({ ...made, live }).capacity).toEqual([
      { template: 'small', labels: ['linux'], available: 1, starting: 2, running: 3 },
      { template: 'big', labels: ['big', 'linux'], available: 0, starting: 0, running: 0 },
    ])
  })

  it('is for nothing while the engine of its only host does not answer (S7)', () => {
    const made = world([small], [hostView('a', { accepting: false, notAcceptingReason: 'no Docker' })])
    expect(ask(made, [waiting(['linux'], 3)])).toMatchObject({ total: 0, promises: [] })
  })

  it('never goes beyond what its hosts can hold, whatever is asked for', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, (made, jobs) => {
        const asked = ask(made, jobs)
        expect(violations(made, asked.promises)).toEqual([])
        expect(asked.capacity.reduce((sum, { available }) => sum + available, 0)).toBe(asked.total)
        expect(asked.promises).toHaveLength(asked.total)
      }),
      { seed },
    )
  })

  it('leaves no room unasked that any template could use', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, (made, jobs) => {
        const { promises, capacity } = ask(made, jobs)
        const reservations = capacity.map(({ labels }) => grant(labels, 1))
        expect(planClaims(made, SHIPFOX, reservations, promises).runners).toEqual([])
      }),
      { seed },
    )
  })

  it('is cut off at the limit, and known jobs come first in it', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, fc.nat({ max: 12 }), (made, jobs, limit) => {
        const all = ask(made, jobs)
        expect(ask(made, jobs, limit).promises).toEqual(all.promises.slice(0, limit))
        const known = planClaims(made, SHIPFOX, oldestGrants(jobs), [])
        expect(all.promises.slice(0, known.runners.length)).toEqual(promisesOf(known))
      }),
      { seed },
    )
  })

  it('11: depends on the last reading of demand alone, in whatever order it was told', () => {
    fc.assert(
      fc.property(anyWorld, anyWaiting, fc.array(anyWaiting), (made, jobs, earlier) => {
        const before = structuredClone(made)
        for (const reading of earlier) ask(made, reading)
        expect(ask(made, jobs.toReversed())).toEqual(ask(made, jobs))
        expect(made).toEqual(before)
      }),
      { seed },
    )
  })
})

describe(`what was asked for and is granted (seed ${seed})`, () => {
  const made = world([small, big], [host('a', 2), host('b', 2)])
  const asked = ask(made, [waiting(['big'], 1, { oldestQueuedAt: 0 }), waiting(['linux'], 2)])

  it('would not always fit again, were it placed anew in another order', () => {
    expect(counts(asked)).toEqual({ small: 2, big: 1 })
    const grants = [grant(['linux'], 2), grant(['big'], 1)]
    expect(planClaims(made, SHIPFOX, grants, []).refusals).toHaveLength(1)
    expect(planClaims(made, SHIPFOX, grants, [], asked.promises).refusals).toEqual([])
  })

  it('has a place: whatever part of the ask, for whatever labels, in whatever order', () => {
    const cases = fc.tuple(anyWorld, anyWaiting).chain(([one, jobs]) => {
      const all = ask(one, jobs)
      return fc.record({ one: fc.constant(one), all: fc.constant(all), grants: anyGrant(all, one.templates) })
    })
    fc.assert(
      fc.property(cases, ({ one, all, grants }) => {
        const plan = planClaims(one, SHIPFOX, grants, [], all.promises)
        expect(plan.refusals).toEqual([])
        expect(plan.runners).toHaveLength(grants.reduce((sum, { count }) => sum + count, 0))
        expect(violations(one, promisesOf(plan))).toEqual([])
        for (const { reservation, template: chosen } of plan.runners)
          expect(reservation?.labels.every((label) => chosen.labels.includes(label))).toBe(true)
      }),
      { seed, numRuns: 500 },
    )
  })

  it('moves a unit to another template where one more unit fits by that', () => {
    const templates = [
      template('both', { labels: ['a', 'b'], cost: 1, maxConcurrency: 1 }),
      template('only-a', { labels: ['a'], cost: 2, maxConcurrency: 1 }),
    ]
    const two = world(templates, [host('a', 9)])
    const plan = planClaims(two, SHIPFOX, [grant(['a'], 1), grant(['b'], 1)], [], ask(two).promises)
    expect(plan.refusals).toEqual([])
    expect(plan.runners.map(({ reservation, template: { key } }) => [reservation?.labels, key])).toEqual([
      [['b'], 'both'],
      [['a'], 'only-a'],
    ])
  })

  it('goes to the cheapest template that was promised', () => {
    const plan = planClaims(made, SHIPFOX, [grant(['linux'], 1)], [], asked.promises)
    expect(plan.runners.map((runner) => runner.template.key)).toEqual(['small'])
  })

  it('goes on in the round of its template from the host that it took', () => {
    const three = world([small], [host('a', 1), host('b', 1), host('c', 1)])
    const plan = planClaims(three, SHIPFOX, [grant(['linux'], 2)], [], ask(three).promises)
    expect([...plan.lastHost]).toEqual([['small', 'b']])
  })

  it('is placed anew where the promise no longer stands', () => {
    const gone = world([small, big], [hostView('a', { state: 'offline' }), host('b', 2)])
    const plan = planClaims(gone, SHIPFOX, [grant(['linux'], 2), grant(['big'], 1)], [], asked.promises)
    expect(plan.runners.map((runner) => runner.host)).toEqual(['b', 'b'])
    expect(plan.refusals).toMatchObject([{ labels: ['big'], count: 1, reason: { code: 'no-room' } }])
    const changed = planClaims(
      world([big], [host('b', 2)]),
      SHIPFOX,
      [grant(['linux'], 1)],
      [],
      asked.promises,
    )
    expect(changed.runners.map((runner) => runner.template.key)).toEqual(['big'])
  })

  it('is refused where its host is no longer assigned, or its template is full by now', () => {
    const grants = [grant(['linux'], 2)]
    const one = world([small], [host('a', 2)])
    const { promises } = ask(one)
    const elsewhere = { ...small, hosts: { kind: 'named', namesOrTags: ['b'] } } as const
    const moved = planClaims(world([elsewhere], [host('a', 2)]), SHIPFOX, grants, [], promises)
    expect(moved.refusals).toMatchObject([{ count: 2, reason: { code: 'no-host-assigned' } }])
    const capped = planClaims(
      world([{ ...small, maxConcurrency: 1 }], [host('a', 2)]),
      SHIPFOX,
      grants,
      [],
      promises,
    )
    expect(capped.refusals).toMatchObject([{ count: 1, reason: { code: 'template-full' } }])
  })

  it('3: is never placed beyond what is there now, whatever changed since the ask', () => {
    fc.assert(
      fc.property(anyWorld, anyWorld, anyWaiting, anyWaiting, (before, now, jobs, granted) => {
        const { promises } = ask(before, jobs)
        const grants = granted.map(({ labels, queued }) => grant(labels, queued + 1))
        const plan = planClaims(now, SHIPFOX, grants, [], promises)
        expect(violations(now, promisesOf(plan))).toEqual([])
        const refused = plan.refusals.reduce((sum, { count }) => sum + count, 0)
        expect(plan.runners.length + refused).toBe(grants.reduce((sum, { count }) => sum + count, 0))
      }),
      { seed },
    )
  })
})

function grant(labels: readonly string[], count: number): Reservation {
  return { id: reservationId(`r-${labels.join()}`), labels, count, expiresAt: NOW + 60_000 }
}

/** All that waits, granted in the order in which it is asked for. */
function oldestGrants(jobs: readonly WaitingJobs[]): readonly Reservation[] {
  const age = ({ oldestQueuedAt }: WaitingJobs): number => oldestQueuedAt ?? Number.MAX_VALUE
  return jobs
    .toSorted((left, right) => age(left) - age(right) || (left.labels.join() < right.labels.join() ? -1 : 1))
    .map((each) => grant(each.labels, ungranted(each)))
}
