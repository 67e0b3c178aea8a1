import type { FleetStore } from '../../core/ports/index.ts'
import { hostMethods } from './hosts.ts'
import { leaseMethods } from './lease.ts'
import { livenessMethods } from './liveness.ts'
import { readingMethods } from './reading.ts'
import { recordMethods } from './records.ts'
import { runnerMethods } from './runners.ts'
import { sessionMethods } from './sessions.ts'
import { slotMethods } from './slots.ts'
import { emptyState } from './state.ts'
import { statusMethods } from './statuses.ts'
import { templateMethods } from './templates.ts'

/** The hub's state in memory: the reference that other stores are tested against. Lost when the process ends. */
export function createMemoryStore(): FleetStore {
  const state = emptyState()
  return {
    ...leaseMethods(state),
    ...hostMethods(state),
    ...sessionMethods(state),
    ...slotMethods(state),
    ...livenessMethods(state),
    ...runnerMethods(state),
    ...readingMethods(state),
    ...recordMethods(state),
    ...statusMethods(state),
    ...templateMethods(state),
  }
}
