import type { EpochMs } from '../../model/index.ts'
import type { CapacityPromise } from '../../plan/index.ts'
import type { Hub } from '../hub-ports.ts'
import { FleetCache } from './fleet-cache.ts'
import { SourceStates } from './source-states.ts'
import { WorkMonitor } from './work-monitor.ts'

/** What a planner knows. Needs no lease: the notes that a lease carries are read from here. */
export interface PlannerState {
  readonly fleet: FleetCache
  readonly sources: SourceStates
  /** Claims on their way to the store: every plan subtracts them from the free capacity. */
  readonly claims: Set<CapacityPromise>
  readonly work: WorkMonitor
}

/** `lastWorkAt`: as the last lease holder noted it. */
export function createPlannerState(
  { clock, sources: configured }: Pick<Hub, 'clock' | 'sources'>,
  lastWorkAt: EpochMs,
): PlannerState {
  const fleet = new FleetCache()
  const sources = new SourceStates(configured)
  const claims = new Set<CapacityPromise>()
  return { fleet, sources, claims, work: new WorkMonitor({ clock, fleet, sources, claims }, lastWorkAt) }
}
