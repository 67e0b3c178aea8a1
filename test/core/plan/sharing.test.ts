import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SourceId } from '../../../core/model/index.ts'
import {
  type CapacityPromise,
  planDemand,
  planWarm,
  type SourceDemand,
  type World,
} from '../../../core/plan/index.ts'
import { anyStep, Fleet } from './fleet.ts'
import {
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
} from './worlds.ts'

const NO_LIMIT = 10_000
const linux = template('linux')
const room = (runners: number): World => world([linux], [hostView('a', { capacity: { runners } })])
const jobs = (queued: number, oldestQueuedAt = NOW): SourceDemand['waiting'] => [
  waiting(['linux'], queued, { oldestQueuedAt }),
]

describe('sources that share a fleet', () => {
  it('are not offered room that an open poll of another was promised', () => {
    const made = room(5)
    const { promises } = planDemand(made, demand(SHIPFOX), [], 3)
    expect(planDemand(made, demand(GITHUB), [demand(SHIPFOX, [], promises)], NO_LIMIT).total).toBe(2)
  })

  it('are not offered room that is just being claimed', () => {
    const claiming = [promiseOn(linux, hostView('a').host.id)]
    expect(planDemand({ ...room(5), claiming }, demand(SHIPFOX), [], NO_LIMIT).total).toBe(4)
  })

  it.each([1, 2, 3, 7, 8])('get equal shares of room for %s while both have jobs', (runners) => {
    const made = room(runners)
    const first = planDemand(made, demand(SHIPFOX, jobs(20)), [demand(GITHUB, jobs(20))], NO_LIMIT)
    const rival = demand(SHIPFOX, jobs(20), first.promises)
    const second = planDemand(made, demand(GITHUB, jobs(20)), [rival], NO_LIMIT)
    expect([first.total, second.total]).toEqual([Math.ceil(runners / 2), Math.floor(runners / 2)])
  })

  it('leave each other what one of them has no use for', () => {
    const made = room(8)
    expect(planDemand(made, demand(SHIPFOX, jobs(20)), [demand(GITHUB, jobs(2))], NO_LIMIT).total).toBe(6)
    expect(planDemand(made, demand(SHIPFOX, jobs(2)), [demand(GITHUB, jobs(20))], NO_LIMIT).total).toBe(2)
  })

  it('share room for jobs that nobody has seen yet', () => {
    const made = room(8)
    expect(planDemand(made, demand(SHIPFOX), [demand(GITHUB)], NO_LIMIT).total).toBe(4)
    expect(planDemand(made, demand(SHIPFOX), [demand(GITHUB, jobs(4))], NO_LIMIT).total).toBe(2)
  })

  it('keep no room for a source that may not use the template', () => {
    const ours = template('ours', { sources: { kind: 'named', ids: [SHIPFOX] } })
    const made = world([ours], [hostView('a', { capacity: { runners: 8 } })])
    expect(planDemand(made, demand(SHIPFOX), [demand(GITHUB, jobs(5))], NO_LIMIT).total).toBe(8)
  })

  it('do not lose their turns over jobs that nothing can hold', () => {
    const rival = demand(GITHUB, [waiting(['arm'], 50, { oldestQueuedAt: 0 }), ...jobs(20)])
    expect(planDemand(room(8), demand(SHIPFOX, jobs(20)), [rival], NO_LIMIT).total).toBe(4)
  })

  it('start with whoever has fewest live runners, so that room for one comes round', () => {
    const live = new Map<SourceId, number>([
      [SHIPFOX, 0],
      [GITHUB, 0],
    ])
    const who = (source: SourceId): SourceDemand => ({
      ...demand(source, jobs(100)),
      live: live.get(source) ?? 0,
    })
    for (let freed = 0; freed < 20; freed += 1) {
      const first = planDemand(room(1), who(SHIPFOX), [who(GITHUB)], NO_LIMIT)
      const second = planDemand(
        room(1),
        who(GITHUB),
        [{ ...who(SHIPFOX), promises: first.promises }],
        NO_LIMIT,
      )
      expect(first.total + second.total).toBe(1)
      const winner = first.total === 1 ? SHIPFOX : GITHUB
      live.set(winner, (live.get(winner) ?? 0) + 1)
    }
    expect([...live.values()]).toEqual([10, 10])
  })
})

describe('warm runners', () => {
  const warm = template('warm', { targetConcurrency: 3 })
  const hosts = [hostView('a'), hostView('b')]
  const planned = (made: World, promises: readonly CapacityPromise[] = []): readonly string[] =>
    planWarm(made, SHIPFOX, promises).runners.map(({ host }) => host)

  it('fill up to target_concurrency, round the hosts, and have no reservation', () => {
    expect(planned(world([warm], hosts))).toEqual(['a', 'b', 'a'])
    expect(planWarm(world([warm], hosts), SHIPFOX, []).runners[0]).toMatchObject({ reservation: null })
  })

  it('count those that start, run, or are just being claimed', () => {
    const made = world([warm], hosts)
    expect(planned({ ...made, live: new Map([[warm.key, { starting: 1, running: 1 }]]) })).toHaveLength(1)
    expect(planned({ ...made, live: new Map([[warm.key, { starting: 2, running: 2 }]]) })).toEqual([])
    const claiming = planWarm(made, SHIPFOX, []).runners.map(({ host }) => promiseOn(warm, host))
    expect(planned({ ...made, claiming })).toEqual([])
  })

  it('do not count what other sources are only offered, but leave it room', () => {
    const made = world([warm], [hostView('a', { capacity: { runners: 4 } })])
    expect(planned(made, [promiseOn(warm, made.hosts[0]!.host.id)])).toHaveLength(3)
    expect(
      planned(made, [promiseOn(warm, made.hosts[0]!.host.id), promiseOn(linux, made.hosts[0]!.host.id)]),
    ).toHaveLength(2)
  })

  it('are not started for a source that may not use the template', () => {
    const theirs = { ...warm, sources: { kind: 'named', ids: [GITHUB] } as const }
    expect(planned(world([theirs], hosts))).toEqual([])
  })

  it(`keep the target and not more, within all caps, in any world (seed ${seed})`, () => {
    fc.assert(
      fc.property(anyWorld, (made) => {
        const { runners } = planWarm(made, SHIPFOX, [])
        expect(
          violations(
            made,
            runners.map((runner) => promiseOn(runner.template, runner.host)),
          ),
        ).toEqual([])
        for (const each of made.templates) {
          const more = runners.filter((runner) => runner.template === each).length
          const live = made.live.get(each.key)?.running ?? 0
          expect(more).toBeLessThanOrEqual(Math.max(0, each.targetConcurrency - live))
        }
      }),
      { seed },
    )
  })
})

describe(`whatever sources ask and grant, in any order (seed ${seed})`, () => {
  it('3: promises, claims and slots together never exceed a host or a template, and every grant has its place', () => {
    fc.assert(
      fc.property(anyWorld, fc.array(anyStep, { maxLength: 30 }), (made, steps) => {
        const fleet = new Fleet(made)
        for (const one of steps) expect(fleet.take(one)).toEqual([])
      }),
      { seed, numRuns: 300 },
    )
  })
})
