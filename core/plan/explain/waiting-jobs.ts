import type { Refusal, SourceId, WaitingJobs } from '../../model/index.ts'
import { JobPlacer } from '../placement/job-placer.ts'
import { FreeCapacity } from '../placement/free-capacity.ts'
import { type CapacityPromise, oldestFirst, ungranted, type World } from '../world.ts'

/**
 * Why jobs still wait: each label set that could not be placed if all jobs were granted now, oldest first. A job that
 * would fit without the capacity promised to open polls of other sources (`promises`) waits for its share.
 */
export function explainWaiting(
  world: World,
  source: SourceId,
  waiting: readonly WaitingJobs[],
  promises: readonly CapacityPromise[],
): readonly Refusal[] {
  const shared = new JobPlacer(new FreeCapacity(world, promises), world.templates)
  const alone = promises.length === 0 ? null : new JobPlacer(new FreeCapacity(world), world.templates)
  return oldestFirst(waiting).flatMap((jobs): readonly Refusal[] => {
    const { labels } = jobs
    const count = ungranted(jobs)
    const placed = shared.placeUpTo(count, source, labels).length
    const promisedAway = alone?.placeUpTo(count, source, labels).slice(placed) ?? []
    const refusals: Refusal[] = []
    const [first] = promisedAway
    if (first !== undefined) {
      const reason = { code: 'waiting-for-share', template: first.template.key } as const
      refusals.push({ source, labels, count: promisedAway.length, reason })
    }
    const rest = count - placed - promisedAway.length
    if (rest > 0)
      refusals.push({ source, labels, count: rest, reason: (alone ?? shared).explain(source, labels) })
    return refusals
  })
}
