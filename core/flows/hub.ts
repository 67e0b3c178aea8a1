import type { Template } from '../model/index.ts'
import type { AgentGateway, Clock, DemandSource, FleetStore, Log, Randomness } from '../ports.ts'

/** Everything outside that the flows talk to. */
export interface Hub {
  readonly store: FleetStore
  readonly gateway: AgentGateway
  readonly sources: readonly DemandSource[]
  /** The templates in force now. */
  readonly templates: () => readonly Template[]
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
}
