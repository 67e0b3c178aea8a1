import type { Backoff, GoneRunner, HostId, TemplateKey } from '../../model/index.ts'
import { isHostFault, nextBackoff, provesHost } from '../../plan/index.ts'
import type { HostStore } from '../../ports/index.ts'
import type { TaskGroup } from '../../concurrency/task-group.ts'
import type { Hub } from '../hub-ports.ts'
import type { PlannerState } from './planner-state.ts'

export type HostBackoffParts = Pick<Hub, 'clock' | 'random' | 'log'> &
  Pick<PlannerState, 'fleet'> & {
    readonly tasks: TaskGroup
    readonly store: Pick<HostStore, 'setBackoff'>
  }

/** A host that fails pauses for the template; one that ran a runner for a while has proved itself again. */
export function learnFromEnd(parts: HostBackoffParts, runner: GoneRunner): void {
  const { clock, random, log, fleet } = parts
  const { template } = runner
  const host = fleet.host(runner.host)
  if (host === undefined) return
  const before = host.backoffs.get(template)
  if (before !== undefined && provesHost(runner)) setBackoff(parts, host.id, template, null)
  if (!isHostFault(runner)) return
  const backoff = nextBackoff(before, clock.now(), random.unit())
  if (backoff === before) return
  log.emit({ name: 'host.backing-off', host: host.id, template, ...backoff })
  setBackoff(parts, host.id, template, backoff)
}

function setBackoff(
  { clock, store, tasks }: HostBackoffParts,
  host: HostId,
  template: TemplateKey,
  backoff: Backoff | null,
): void {
  tasks.run(store.setBackoff({ host, template, backoff, now: clock.now() }))
}
