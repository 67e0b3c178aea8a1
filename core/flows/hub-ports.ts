import type { Template } from '../model/index.ts'
import type { AgentGateway, Clock, DemandSource, FleetStore, Log, Randomness } from '../ports/index.ts'
import type { TemplatesInForce } from './templates-in-force.ts'

/** Everything outside that the flows talk to. */
export interface Hub {
  readonly store: FleetStore
  readonly gateway: AgentGateway
  readonly sources: readonly DemandSource[]
  /** The templates in force now. */
  readonly templates: () => readonly Template[]
  /** Why there are none that could be planned with, and how to look again. */
  readonly templatesInForce: Pick<TemplatesInForce, 'problem' | 'refresh'>
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
}
