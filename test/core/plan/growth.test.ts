import { describe, expect, it } from 'vitest'
import { type Reservation, reservationId, type WaitingJobs } from '../../../core/model/index.ts'
import {
  explainWaiting,
  type HostView,
  planDemand,
  planClaims,
  type World,
} from '../../../core/plan/index.ts'
import { demand, GITHUB, hostView, NOW, SHIPFOX, slotOf, template, waiting, world } from './worlds.ts'

const TEMPLATES = 100
const LABEL_SETS = 100
const LARGE = 10_000
const SMALL = LARGE / 4

interface Case {
  readonly made: World
  readonly jobs: readonly WaitingJobs[]
  readonly grants: readonly Reservation[]
  /** How often a plan looked at a host: work counted without a clock. */
  looks: number
}

/** As many hosts as jobs, 100 templates; half of the label sets fit one template each, half fit ten. */
function makeCase(size: number, isFull: boolean): Case {
  const templates = Array.from({ length: TEMPLATES }, (_, index) =>
    template(`t${index}`, {
      labels: ['linux', `only-${index}`, `size-${index % 10}`],
      cost: 1 + (index % 7),
      maxConcurrency: 1_000_000,
    }),
  )
  const slots = templates.slice(0, isFull ? 8 : 1).map(slotOf)
  const hosts = Array.from({ length: size }, (_, index) =>
    hostView(`host-${String(index).padStart(5, '0')}`, { slots, capacity: { runners: 8 } }),
  )
  const jobs = Array.from({ length: LABEL_SETS }, (_, index) => {
    const labels = [index < LABEL_SETS / 2 ? `only-${index}` : `size-${index % 10}`, 'linux']
    return waiting(labels, size / LABEL_SETS, { oldestQueuedAt: NOW - index })
  })
  const grants = jobs.map(({ labels, queued }, index) => ({
    id: reservationId(`r-${index}`),
    labels,
    count: queued,
    expiresAt: NOW + 60_000,
  }))
  const counted: Case = { made: world(templates, hosts), jobs, grants, looks: 0 }
  const watched = counted.made.hosts.map((view) => watch(view, () => (counted.looks += 1)))
  return Object.assign(counted, { made: { ...counted.made, hosts: watched } })
}

function watch(view: HostView, onLook: () => void): HostView {
  const { host, ...rest } = view
  return {
    ...rest,
    get host() {
      onLook()
      return host
    },
  }
}

type Plan = (one: Case) => unknown

const PLANS: readonly (readonly [string, Plan])[] = [
  [
    'planDemand, all that fits',
    ({ made, jobs }) => planDemand(made, demand(SHIPFOX, jobs), [demand(GITHUB, jobs)], LARGE),
  ],
  ['planDemand, 250 at most', ({ made, jobs }) => planDemand(made, demand(SHIPFOX, jobs), [], 250)],
  ['planClaims', ({ made, grants }) => planClaims(made, SHIPFOX, grants, [])],
  [
    'planClaims, as promised',
    ({ made, jobs, grants }) => {
      const { promises } = planDemand(made, demand(SHIPFOX, jobs), [], LARGE)
      return planClaims(made, SHIPFOX, grants, [], promises)
    },
  ],
  ['explainWaiting', ({ made, jobs }) => explainWaiting(made, SHIPFOX, jobs, [])],
]

function countLooks(plan: Plan, one: Case): number {
  one.looks = 0
  plan(one)
  return one.looks
}

describe.each([
  ['roomy', false],
  ['full', true],
] as const)(
  'planning for a %s fleet grows about linearly to 10,000 hosts × 10,000 jobs × 100 templates',
  (name, isFull) => {
    const small = makeCase(SMALL, isFull)
    const large = makeCase(LARGE, isFull)

    it.each(PLANS)('%s', (what, plan) => {
      const before = countLooks(plan, small)
      const after = countLooks(plan, large)
      process.stdout.write(
        `${name} fleet, ${what}: ${SMALL} → ${LARGE}: ${before} → ${after} looks at hosts\n`,
      )
      // Four times as much work, and a margin; `npm run bench` takes the times.
      expect(after).toBeLessThanOrEqual(5 * before)
    })
  },
)
