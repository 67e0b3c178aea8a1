import { type Reservation, reservationId } from '../../../core/model/index.ts'
import { planDemand, planClaims } from '../../../core/plan/index.ts'
import { demand, hostView, NOW, SHIPFOX, template, waiting, world } from '../../core/plan/worlds.ts'
import type { PlannerResult } from '../results.ts'
import { percentile } from '../statistics.ts'

const SIZES = [1_000, 2_000, 5_000, 10_000] as const
const TEMPLATES = 100
const REPEATS = 7

/** How the planner's work grows: as many waiting jobs as hosts, over a hundred templates. */
export function measurePlanner(say: (line: string) => void): readonly PlannerResult[] {
  return SIZES.map((size) => {
    const result = plan(size)
    const { askMs, claimsMs } = result
    say(
      `planner  ${size} hosts, ${size} jobs, ${TEMPLATES} templates: ask ${askMs} ms, claims ${claimsMs} ms`,
    )
    return result
  })
}

function plan(size: number): PlannerResult {
  const templates = Array.from({ length: TEMPLATES }, (_, index) =>
    template(`t${index}`, { labels: ['linux', `only-${index}`, `size-${index % 10}`], maxConcurrency: size }),
  )
  const hosts = Array.from({ length: size }, (_, index) =>
    hostView(`host-${String(index).padStart(5, '0')}`, { capacity: { runners: 8 } }),
  )
  const made = world(templates, hosts)
  // Half of the label sets fit one template each, the others ten.
  const jobs = templates.map((_, index) =>
    waiting(['linux', index % 2 === 0 ? `only-${index}` : `size-${index % 10}`], size / TEMPLATES),
  )
  const grants = jobs.map(({ labels, queued: count }, index): Reservation => {
    return { id: reservationId(`r${index}`), labels, count, expiresAt: NOW + 60_000 }
  })
  return {
    hosts: size,
    jobs: size,
    templates: TEMPLATES,
    askMs: medianMs(() => planDemand(made, demand(SHIPFOX, jobs), [], size)),
    claimsMs: medianMs(() => planClaims(made, SHIPFOX, grants, [])),
  }
}

/** In tenths of a millisecond: the small plans take few of them. */
function medianMs(work: () => unknown): number {
  const times = Array.from({ length: REPEATS }, () => {
    const beganMs = performance.now()
    work()
    return performance.now() - beganMs
  })
  return Math.round(10 * percentile(times, 0.5)) / 10
}
