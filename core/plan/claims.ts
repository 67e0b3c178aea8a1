import type {
  HostId,
  Refusal,
  RefusalReason,
  Reservation,
  SourceId,
  Template,
  TemplateKey,
  WaitingJobs,
} from '../model/index.ts'
import { JobPlacer } from './place-jobs.ts'
import { Rooms } from './rooms.ts'
import { type Hold, ungranted, type World } from './world.ts'

/** One granted unit and where it goes. A warm runner has no reservation. */
export interface PlannedRunner {
  readonly source: SourceId
  readonly reservation: Reservation | null
  readonly template: Template
  readonly host: HostId
}

export interface ClaimPlan {
  readonly runners: readonly PlannedRunner[]
  /** Granted units that nothing can hold now; they fall back to the source when their reservation ends. */
  readonly refusals: readonly Refusal[]
  readonly lastHost: ReadonlyMap<TemplateKey, HostId>
}

/** Pairs granted units with hosts. `holds` is room promised to open polls of other sources. */
export function planClaims(
  world: World,
  source: SourceId,
  reservations: readonly Reservation[],
  holds: readonly Hold[],
): ClaimPlan {
  const rooms = new Rooms(world, holds)
  const placer = new JobPlacer(rooms, world.templates)
  const runners: PlannedRunner[] = []
  const refusals: Refusal[] = []
  for (const reservation of reservations) {
    for (let unit = 0; unit < reservation.count; unit += 1) {
      const placed = placer.place(source, reservation.labels)
      if ('host' in placed) runners.push({ source, reservation, ...placed })
      else {
        const count = reservation.count - unit
        refusals.push({ source, labels: reservation.labels, count, reason: placed.refused })
        break
      }
    }
  }
  return { runners, refusals, lastHost: rooms.lastHost }
}

/** Runners to start with nobody waiting, so that each template keeps its target of live ones. */
export function planWarm(world: World, source: SourceId, holds: readonly Hold[]): ClaimPlan {
  const rooms = new Rooms(world, holds)
  const runners: PlannedRunner[] = []
  for (const template of world.templates) {
    const live = world.live.get(template.key)
    for (
      let count = (live?.starting ?? 0) + (live?.running ?? 0);
      count < template.targetConcurrency;
      count += 1
    ) {
      const placed = rooms.place(template)
      if (!('host' in placed)) break
      runners.push({ source, reservation: null, template, host: placed.host })
    }
  }
  return { runners, refusals: [], lastHost: rooms.lastHost }
}

/**
 * Why jobs still wait: each label set of each source that could not be placed, were all of it granted now. A job
 * that would fit if other sources' open polls held no room waits for its share.
 */
export function explainWaiting(
  world: World,
  source: SourceId,
  waiting: readonly WaitingJobs[],
  holds: readonly Hold[],
): readonly Refusal[] {
  const shared = new JobPlacer(new Rooms(world, holds), world.templates)
  const alone = new JobPlacer(new Rooms(world), world.templates)
  return waiting.flatMap((jobs) => {
    const refused = new Map<string, { reason: RefusalReason; count: number }>()
    for (let unit = ungranted(jobs); unit > 0; unit -= 1) {
      const placed = shared.place(source, jobs.labels)
      const unshared = alone.place(source, jobs.labels)
      if ('host' in placed) continue
      const reason: RefusalReason =
        'host' in unshared ? { code: 'waiting-for-share', template: unshared.template.key } : placed.refused
      const key = JSON.stringify(reason)
      const before = refused.get(key)?.count ?? 0
      refused.set(key, { reason, count: before + 1 })
    }
    return [...refused.values()].map(({ reason, count }) => ({ source, labels: jobs.labels, count, reason }))
  })
}
