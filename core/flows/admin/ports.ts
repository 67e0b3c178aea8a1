import type { SourceId } from '../../model/index.ts'
import type { AgentGateway, Clock, FleetStore, Log } from '../../ports/index.ts'

/** What looking after a fleet by hand needs of the outside. */
export interface AdminPorts {
  readonly store: FleetStore
  readonly gateway: Pick<AgentGateway, 'close'>
  readonly clock: Clock
  readonly log: Log
  /** Every source that the hub serves, with where its token is kept; null = not in a store that people write to. */
  readonly sources: readonly { readonly id: SourceId; readonly tokenParameter: string | null }[]
}
