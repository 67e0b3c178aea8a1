import type { EpochMs } from '../../model/index.ts'
import { Notify } from '../../concurrency/notify.ts'
import type { TaskGroup } from '../../concurrency/task-group.ts'
import type { Hub } from '../hub-ports.ts'
import { HandOver, type Turn } from './hand-over.ts'
import type { LeaseGuard } from './lease-guard.ts'
import { PlanInputs } from './plan-inputs.ts'
import type { PlannerState } from './planner-state.ts'
import { RunnerUpdates } from './runner-updates.ts'

/** What the tasks of one run of the control loop share. Each function takes the parts that it uses. */
export interface Planner extends Omit<Hub, 'sources'>, PlannerState {
  readonly lease: LeaseGuard
  /** Background tasks: a failure of one of them ends the run. */
  readonly tasks: TaskGroup
  /** Notified when the fleet should be read at once. */
  readonly fleetChanged: Notify
  readonly runners: RunnerUpdates
  readonly inputs: PlanInputs
  readonly handOver: HandOver
  /** After the fence was raised: what was reserved before is the last holder's. */
  readonly startedAt: EpochMs
}

export function createPlanner(
  hub: Hub,
  state: PlannerState,
  { lease, tasks, turn }: { lease: LeaseGuard; tasks: TaskGroup; turn: Turn | null },
): Planner {
  const { clock, templates } = hub
  const parts = { ...hub, ...state, tasks }
  return {
    ...parts,
    lease,
    fleetChanged: new Notify(),
    runners: new RunnerUpdates(parts),
    inputs: new PlanInputs(parts, templates),
    handOver: new HandOver({ clock, work: state.work }, turn),
    startedAt: clock.now(),
  }
}
