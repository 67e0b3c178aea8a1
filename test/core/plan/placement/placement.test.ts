import { describe, expect, it } from 'vitest'
import { type Reservation, reservationId, type TemplateKey } from '../../../../core/model/index.ts'
import { type HostView, planClaims, type World } from '../../../../core/plan/index.ts'
import { type HostParts, hostView, IMAGE, NOW, SHIPFOX, slotOf, template, world } from '../worlds.ts'

const grant = (count: number, labels: readonly string[] = ['linux']): Reservation => ({
  id: reservationId('r-1'),
  labels,
  count,
  expiresAt: NOW + 60_000,
})

/** The hosts that this many jobs go to. */
function place(made: World, count: number): readonly string[] {
  return planClaims(made, SHIPFOX, [grant(count)], []).runners.map(({ host }) => host)
}

const linux = template('linux')
const fleet = (...hosts: HostView[]): World => world([linux], hosts)
const hosts = (parts: HostParts, ...names: string[]): HostView[] => names.map((name) => hostView(name, parts))

describe('placement', () => {
  it('H5: goes round the hosts, one runner each', () => {
    expect(place(fleet(...hosts({}, 'c', 'a', 'b')), 5)).toEqual(['a', 'b', 'c', 'a', 'b'])
  })

  it('H5: goes on after the host that the last plan ended with', () => {
    const first = fleet(...hosts({}, 'a', 'b', 'c'))
    const { lastHost } = planClaims(first, SHIPFOX, [grant(2)], [])
    expect([...lastHost]).toEqual([['linux', 'b']])
    expect(place({ ...first, lastHost }, 2)).toEqual(['c', 'a'])
  })

  it('H5: goes on in order where the host used last is no longer there', () => {
    const lastHost = new Map([[linux.key, hostView('b').host.id]])
    expect(place({ ...fleet(...hosts({}, 'a', 'c')), lastHost }, 2)).toEqual(['c', 'a'])
    expect(place({ ...fleet(...hosts({}, 'a')), lastHost }, 1)).toEqual(['a'])
  })

  it('H5: keeps a round of its own for each template', () => {
    const arm = template('arm', { labels: ['arm'] })
    const made = world([linux, arm], hosts({}, 'a', 'b'))
    const plan = planClaims(made, SHIPFOX, [grant(1), grant(1, ['arm'])], [])
    expect(plan.runners.map(({ host }) => host)).toEqual(['a', 'a'])
  })

  it('passes a full host over and comes round to the others', () => {
    const made = fleet(hostView('a', { capacity: { runners: 1 } }), ...hosts({}, 'b', 'c'))
    expect(place(made, 5)).toEqual(['a', 'b', 'c', 'b', 'c'])
  })

  it('is for assigned hosts only: all, local, or by name and tag', () => {
    const views = [hostView('a', { tags: ['ssd'] }), hostView('b'), hostView('c'), hostView('local')]
    const on = (assignment: typeof linux.hosts): readonly string[] =>
      place(world([{ ...linux, hosts: assignment }], views), 4).toSorted()
    expect(on({ kind: 'all' })).toEqual(['a', 'b', 'c', 'local'])
    expect(on({ kind: 'named', namesOrTags: ['ssd', 'c'] })).toEqual(['a', 'a', 'c', 'c'])
    expect(on({ kind: 'local' })).toEqual(['local', 'local', 'local', 'local'])
    expect(on({ kind: 'named', namesOrTags: [] })).toEqual([])
  })

  it.each([
    ['the host holds fewer runners', { runners: 2 }, 3, 2],
    ['the template may have fewer on one host', { runners: 5 }, 3, 3],
    ['the template has no cap per host', { runners: 4 }, null, 4],
  ])('H5: the smaller cap wins: %s', (_, capacity, perHost, expected) => {
    const made = world([{ ...linux, perHost }], [hostView('a', { capacity })])
    expect(place(made, 9)).toHaveLength(expected)
  })

  it('H5: counts runners that live already against both caps', () => {
    const other = template('other', { labels: ['other'] })
    const slots = [slotOf(linux), slotOf(other)]
    const capped = world([{ ...linux, perHost: 2 }, other], [hostView('a', { slots })])
    expect(place(capped, 9)).toHaveLength(1)
    expect(place(fleet(hostView('a', { slots, capacity: { runners: 5 } })), 9)).toHaveLength(3)
  })

  it('S1: counts max_concurrency over all hosts, with those that start or are just being claimed', () => {
    const capped = { ...linux, maxConcurrency: 6 }
    const views = hosts({ slots: [slotOf(linux)] }, 'a', 'b')
    const made = world([capped], views)
    expect(place(made, 9)).toHaveLength(4)
    expect(place({ ...made, live: new Map([[linux.key, { starting: 2, running: 2 }]]) }, 9)).toHaveLength(2)
    const claiming = [{ host: hostView('a').host.id, slot: slotOf(linux) }]
    expect(place({ ...made, claiming }, 9)).toHaveLength(3)
  })

  it('S1: has cpu and memory bound it, each for itself', () => {
    const size = { cpuMillis: 1500, memoryMib: 2048 }
    const on = (cpuMillis: number, memoryMib: number): number =>
      place(world([{ ...linux, size }], [hostView('a', { capacity: { cpuMillis, memoryMib } })]), 9).length
    expect(on(4_499, 99_999)).toBe(2)
    expect(on(4_500, 99_999)).toBe(3)
    expect(on(99_999, 2_047)).toBe(0)
    expect(on(99_999, 2_048)).toBe(1)
  })

  it.each<[string, HostParts]>([
    ['is offline', { state: 'offline' }],
    ['still tells what it has', { state: 'syncing' }],
    ['never connected', { state: 'new' }],
    ['is dead', { state: 'dead' }],
    ['is silent for too long', { expectedBy: NOW - 1 }],
    ['does not accept', { accepting: false, notAcceptingReason: 'the disk is full' }],
    ['has no image', { images: {} }],
    ['pulls the image', { images: { [IMAGE]: { state: 'pulling' } } }],
    ['failed to pull', { images: { [IMAGE]: { state: 'failed', reason: 'denied', retryAt: NOW } } }],
    ['backs off from the template', { backoffs: { linux: { failures: 1, until: NOW + 1 } } }],
  ])('H5, H7: skips a host that %s, and delays no other for it', (_, parts) => {
    expect(place(fleet(hostView('a', parts), ...hosts({}, 'b', 'c')), 3)).toEqual(['b', 'c', 'b'])
  })

  it('uses a host up to the moment by which it has to be heard from', () => {
    expect(place(fleet(hostView('a', { expectedBy: NOW })), 1)).toEqual(['a'])
  })

  it('H7: uses a host again once its pause is over', () => {
    const made = fleet(hostView('a', { backoffs: { linux: { failures: 3, until: NOW } } }))
    expect(place(made, 1)).toEqual(['a'])
  })

  it('H7: keeps a pause to its own template', () => {
    const backoffs = { other: { failures: 1, until: NOW + 60_000 } }
    expect(place(fleet(hostView('a', { backoffs })), 1)).toEqual(['a'])
  })

  it.each([
    [60, 0, 30],
    [60, 12, 18],
    [null, 0, 120],
    [1, 0, 1],
    [0, 0, 1],
    [60, 30, 0],
  ])(
    'piles up no more than 30 s of starts: %s a minute, %s on their way, room for %s',
    (rate, starting, expected) => {
      const capacity = { runners: 500, cpuMillis: 9e6, memoryMib: 9e6 }
      const made = fleet(hostView('a', { startsPerMinute: rate, starting, capacity }))
      expect(place(made, 500)).toHaveLength(expected)
    },
  )

  it('takes the next template when the cheapest has no room, and comes back to none', () => {
    const small = template('small', { maxConcurrency: 1 })
    const large = template('large', { size: { cpuMillis: 4000, memoryMib: 1024 } })
    const plan = planClaims(world([large, small], hosts({}, 'a')), SHIPFOX, [grant(3)], [])
    expect(plan.runners.map((runner) => runner.template.key)).toEqual(['small', 'large', 'large'])
  })

  it('12: plans one runner for each granted unit or says why not, never more', () => {
    const made = fleet(hostView('a', { capacity: { runners: 3 } }))
    const plan = planClaims(made, SHIPFOX, [grant(2), grant(4), grant(1, ['windows'])], [])
    expect(plan.runners).toHaveLength(3)
    expect(plan.refusals.map(({ labels, count, reason }) => [labels, count, reason.code])).toEqual([
      [['linux'], 3, 'no-room'],
      [['windows'], 1, 'no-template'],
    ])
    expect(new Set(plan.runners.map((runner) => runner.template.key))).toEqual(
      new Set<TemplateKey>([linux.key]),
    )
  })

  it('leaves room alone that other sources were promised', () => {
    const made = fleet(hostView('a', { capacity: { runners: 3 } }))
    const promises = [{ host: hostView('a').host.id, slot: slotOf(linux) }]
    expect(planClaims(made, SHIPFOX, [grant(3)], promises).runners).toHaveLength(2)
  })
})
