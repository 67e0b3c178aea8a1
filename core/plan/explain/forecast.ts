import type { HostId, RefusalReason, SourceId, TemplateKey, WaitingJobs } from '../../model/index.ts'
import { JobPlacer } from '../placement/job-placer.ts'
import { FreeCapacity } from '../placement/free-capacity.ts'
import { ungranted, type World } from '../world.ts'

/** Jobs that one source is known to hold. */
export interface KnownJobs {
  readonly source: SourceId
  readonly waiting: readonly WaitingJobs[]
}

export type Forecast =
  | { readonly kind: 'starts'; readonly template: TemplateKey; readonly host: HostId }
  | { readonly kind: 'waits'; readonly reason: RefusalReason }

/**
 * What would happen to one job of these labels if it were granted now, after every known job that has waited longer.
 * Labels without a waiting job come last.
 */
export function forecastJob(
  world: World,
  known: readonly KnownJobs[],
  source: SourceId,
  labels: readonly string[],
): Forecast {
  const placer = new JobPlacer(new FreeCapacity(world), world.templates)
  const mine = labels.join()
  const all = known.flatMap((jobs) => jobs.waiting.map((waiting) => ({ source: jobs.source, waiting })))
  const isMine = (job: (typeof all)[number]): boolean =>
    job.source === source && job.waiting.labels.join() === mine
  const since = all.find(isMine)?.waiting.oldestQueuedAt ?? Infinity
  const ahead = all
    .filter((job) => !isMine(job) && (since === Infinity || (job.waiting.oldestQueuedAt ?? Infinity) < since))
    .toSorted((left, right) => age(left.waiting) - age(right.waiting))
  for (const job of ahead) placer.placeUpTo(ungranted(job.waiting), job.source, job.waiting.labels)
  const placed = placer.place(source, labels)
  return placed === null
    ? { kind: 'waits', reason: placer.explain(source, labels) }
    : { kind: 'starts', template: placed.template.key, host: placed.host }
}

/** Not `Infinity`: `Infinity - Infinity` is `NaN`, which does not sort. */
function age({ oldestQueuedAt }: WaitingJobs): number {
  return oldestQueuedAt ?? Number.MAX_SAFE_INTEGER
}
