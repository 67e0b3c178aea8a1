import type { SourceId } from '../../model/index.ts'
import type {
  AgentGateway,
  Clock,
  FleetReader,
  HostStore,
  LeaseStore,
  Log,
  RecordStore,
  SourceStatusStore,
  TemplateStore,
} from '../../ports/index.ts'

/** What the administration of a fleet needs of the outside. Each flow takes the parts that it uses. */
export interface AdminPorts {
  readonly store: Pick<FleetReader, 'readFleet'> &
    Pick<HostStore, 'addHost' | 'getHost' | 'removeHost'> &
    Pick<LeaseStore, 'readLease'> &
    Pick<RecordStore, 'getCrashReport'> &
    Pick<SourceStatusStore, 'readSourceStatuses'> &
    TemplateStore
  readonly gateway: Pick<AgentGateway, 'close'>
  readonly clock: Clock
  readonly log: Log
  /** Every source that the hub serves, and the parameter that holds its token; null = not in a secret store. */
  readonly sources: readonly { readonly id: SourceId; readonly tokenParameter: string | null }[]
}
