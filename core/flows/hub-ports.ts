import type { Template } from '../model/index.ts'
import type { AgentGateway, Clock, DemandSource, FleetStore, Log, Randomness } from '../ports/index.ts'
import type { TemplatesInForce } from './templates-in-force.ts'

/** Everything outside the core that the flows use. */
export interface Hub {
  readonly store: FleetStore
  readonly gateway: AgentGateway
  readonly sources: readonly DemandSource[]
  /** The templates in force now. */
  readonly templates: () => readonly Template[]
  /** Why there are none to plan with, and how to read them again. */
  readonly templatesInForce: Pick<TemplatesInForce, 'problem' | 'refresh'>
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
}
