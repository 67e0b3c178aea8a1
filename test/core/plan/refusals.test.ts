import { describe, expect, it } from 'vitest'
import type { RefusalReason } from '../../../core/model/index.ts'
import {
  explainWaiting,
  type HostView,
  formatReason,
  formatRefusal,
  type World,
} from '../../../core/plan/index.ts'
import {
  GITHUB,
  type HostParts,
  promiseOn,
  hostView,
  IMAGE,
  NOW,
  SHIPFOX,
  slotOf,
  template,
  waiting,
  world,
} from './worlds.ts'

const linux = template('linux')
const fleet = (...hosts: HostView[]): World => world([linux], hosts)

/** Why one more job waits. */
function reasonIn(made: World, labels: readonly string[] = ['linux'], jobs = 1): RefusalReason {
  const refusals = explainWaiting(made, SHIPFOX, [waiting(labels, jobs)], [])
  expect(refusals).toHaveLength(1)
  return refusals[0]!.reason
}

const failed = { state: 'failed', reason: 'manifest unknown', retryAt: NOW + 60_000 } as const
const full = { capacity: { runners: 1 }, slots: [slotOf(linux)] }

describe('a job that waits has its reason', () => {
  it('no-template: nothing offers its labels, and what is offered is named', () => {
    const made = world([linux, template('gpu', { labels: ['gpu', 'linux'] })], [hostView('a')])
    const reason = reasonIn(made, ['arm'])
    expect(reason).toEqual({ code: 'no-template', known: ['linux', 'gpu,linux'] })
    expect(formatReason(reason)).toMatch(/offered: linux \| gpu,linux\); add a template/)
  })

  it('no-template: templates of other sources are not offered', () => {
    const theirs = template('theirs', { sources: { kind: 'named', ids: [GITHUB] } })
    const reason = reasonIn(world([theirs], [hostView('a')]))
    expect(reason).toEqual({ code: 'no-template', known: [] })
    expect(formatReason(reason)).toContain('offered: none')
  })

  it('no-template: says how many label sets it leaves out', () => {
    const many = Array.from({ length: 10 }, (_, index) => template(`t${index}`, { labels: [`l${index}`] }))
    const reason = reasonIn(world(many, []))
    expect(formatReason(reason)).toContain('l7 | and 2 more')
  })

  it('template-full: all that max_concurrency allows are live', () => {
    const reason = reasonIn(
      world([{ ...linux, maxConcurrency: 1 }], [hostView('a', { slots: [slotOf(linux)] })]),
    )
    expect(reason).toEqual({ code: 'template-full', template: 'linux', maxConcurrency: 1 })
    expect(formatReason(reason)).toMatch(/max_concurrency is 1; .*raise it/)
  })

  it('H4: no-host-assigned: a host that was added gets nothing until a template names it', () => {
    const reason = reasonIn(world([{ ...linux, hosts: { kind: 'local' } }], [hostView('a')]))
    expect(reason).toEqual({ code: 'no-host-assigned', template: 'linux' })
    expect(formatReason(reason)).toMatch(/no host is assigned .*; change its hosts/)
  })

  it.each<HostParts['state'] & string>(['offline', 'syncing', 'new', 'dead'])(
    'hosts-offline: its only host is %s',
    (state) => {
      const reason = reasonIn(fleet(hostView('a', { state })))
      expect(reason).toEqual({ code: 'hosts-offline', template: 'linux', hosts: ['a'] })
      expect(formatReason(reason)).toMatch(/offline \(a\); start the agent of one of them/)
    },
  )

  it('hosts-offline: a host that fell silent is offline before the sweep says so', () => {
    expect(reasonIn(fleet(hostView('a', { expectedBy: NOW - 1 })))).toMatchObject({ code: 'hosts-offline' })
  })

  it('hosts-offline: names the offline hosts, not those that are too small for it', () => {
    const small = { capacity: { cpuMillis: 500 } }
    const made = fleet(
      hostView('a', small),
      hostView('b', { state: 'offline' }),
      hostView('c', { ...small, state: 'offline' }),
    )
    expect(reasonIn(made)).toEqual({ code: 'hosts-offline', template: 'linux', hosts: ['b'] })
  })

  it('hosts-offline: a host that never connected has not told its size, so nothing is too large for it', () => {
    const capacity = { runners: 0, cpuMillis: 0, memoryMib: 0 }
    expect(reasonIn(fleet(hostView('a', { state: 'new', capacity })))).toMatchObject({
      code: 'hosts-offline',
    })
  })

  it('S7: hosts-not-accepting: with what the agent said', () => {
    const reason = reasonIn(
      fleet(hostView('a', { accepting: false, notAcceptingReason: 'Docker does not answer' })),
    )
    expect(reason).toEqual({
      code: 'hosts-not-accepting',
      template: 'linux',
      reason: 'Docker does not answer',
    })
    expect(formatReason(reason)).toContain('Docker does not answer')
  })

  it('H7: backing-off: until the first of its hosts may be tried again', () => {
    const made = fleet(
      hostView('a', { backoffs: { linux: { failures: 3, until: NOW + 9_000 } } }),
      hostView('b', { backoffs: { linux: { failures: 1, until: NOW + 4_000 } } }),
    )
    const reason = reasonIn(made)
    expect(reason).toEqual({ code: 'backing-off', template: 'linux', until: NOW + 4_000 })
    expect(formatReason(reason)).toContain(new Date(NOW + 4_000).toISOString())
  })

  it.each([{}, { [IMAGE]: { state: 'pulling' } as const }])(
    'R2: pulling-image: before anything is claimed',
    (images) => {
      const reason = reasonIn(
        fleet(hostView('a', { images }), hostView('b', { images: { [IMAGE]: failed } })),
      )
      expect(reason).toEqual({ code: 'pulling-image', template: 'linux', image: IMAGE })
      expect(formatReason(reason)).toContain(`pulling image ${IMAGE}`)
    },
  )

  it('image-unavailable: with what the registry said', () => {
    const reason = reasonIn(fleet(hostView('a', { images: { [IMAGE]: failed } })))
    expect(reason).toEqual({
      code: 'image-unavailable',
      template: 'linux',
      image: IMAGE,
      reason: 'manifest unknown',
    })
    expect(formatReason(reason)).toMatch(/manifest unknown; check its name/)
  })

  it.each<[string, Partial<typeof linux>, HostParts]>([
    ['cpu', {}, { capacity: { cpuMillis: 1999 }, slots: [slotOf(linux)] }],
    ['memory', {}, { capacity: { memoryMib: 2047 }, slots: [slotOf(linux)] }],
    ['slots', {}, full],
    ['slots', { perHost: 1 }, { slots: [slotOf(linux)] }],
  ])('no-room: %s is used up', (lacking, parts, host) => {
    const reason = reasonIn(world([{ ...linux, ...parts }], [hostView('a', host)]))
    expect(reason).toEqual({ code: 'no-room', template: 'linux', lacking })
    expect(formatReason(reason)).toMatch(/wait for a runner to end, .*add a host/)
  })

  it.each([
    ['cpu', { cpuMillis: 200_000, memoryMib: 1 }],
    ['memory', { cpuMillis: 1, memoryMib: 200_000 }],
  ])('too-large: no host has that much %s', (lacking, size) => {
    const reason = reasonIn(
      world([{ ...linux, size }], [hostView('a', full), hostView('b', { state: 'offline' })]),
    )
    expect(reason).toEqual({ code: 'too-large', template: 'linux', lacking })
    expect(formatReason(reason)).toMatch(/make the template smaller or add a larger host/)
  })

  it('start-rate: there is room, but its hosts start as many as they can', () => {
    const reason = reasonIn(fleet(hostView('a', { startsPerMinute: 4, starting: 2 }), hostView('b', full)))
    expect(reason).toEqual({ code: 'start-rate', template: 'linux' })
    expect(formatReason(reason)).toContain('as many containers as they can')
  })

  it('waiting-for-share: another source was promised the room', () => {
    const host = hostView('a', { capacity: { runners: 2 } })
    const promises = [promiseOn(linux, host.host.id)]
    const refusals = explainWaiting(fleet(host), SHIPFOX, [waiting(['linux'], 4)], promises)
    expect(refusals.map(({ count, reason }) => [count, reason.code])).toEqual([
      [1, 'waiting-for-share'],
      [2, 'no-room'],
    ])
    expect(formatReason(refusals[0]!.reason)).toContain('promised to another source')
  })

  it('no-room: room for which this source is claiming just now is not promised to another', () => {
    const host = hostView('a', { capacity: { runners: 2 } })
    const made = {
      ...fleet(host),
      claiming: [promiseOn(linux, host.host.id), promiseOn(linux, host.host.id)],
    }
    expect(reasonIn(made)).toMatchObject({ code: 'no-room', lacking: 'slots' })
  })

  it('claiming-stopped: with why, in the words of whoever stopped it', () => {
    expect(formatReason({ code: 'claiming-stopped', reason: 'the hub is draining' })).toBe(
      'claiming is stopped: the hub is draining',
    )
  })

  it('that of the host nearest to being usable, whatever the order of the hosts', () => {
    const steps: readonly HostParts[] = [
      { capacity: { cpuMillis: 1 } },
      { state: 'offline' },
      { accepting: false },
      { images: { [IMAGE]: failed } },
      { images: {} },
      { backoffs: { linux: { failures: 1, until: NOW + 1 } } },
      full,
      { startsPerMinute: 1, starting: 1 },
    ]
    const codes = steps.map((_, end) => {
      const hosts = steps.slice(0, end + 1).map((parts, index) => hostView(`host-${index}`, parts))
      const turned = steps.slice(0, end + 1).map((parts, index) => hostView(`host-${9 - index}`, parts))
      const { code } = reasonIn(fleet(...hosts))
      expect(reasonIn(fleet(...turned)).code).toBe(code)
      return code
    })
    expect(codes).toEqual([
      'too-large',
      'hosts-offline',
      'hosts-not-accepting',
      'image-unavailable',
      'pulling-image',
      'backing-off',
      'no-room',
      'start-rate',
    ])
  })

  it('said with its number, its labels and its source', () => {
    const reason = { code: 'start-rate', template: linux.key } as const
    const said = (count: number): string =>
      formatRefusal({ source: SHIPFOX, labels: ['gpu', 'linux'], count, reason })
    expect(said(1)).toMatch(/^1 job \[gpu, linux\] of shipfox: the hosts of template linux /)
    expect(said(3)).toMatch(/^3 jobs /)
  })
})
