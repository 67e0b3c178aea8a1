import type { FleetReader } from './fleet-reader.ts'
import type { HostStore } from './host-store.ts'
import type { LeaseStore } from './lease-store.ts'
import type { RecordStore } from './record-store.ts'
import type { RunnerStore } from './runner-store.ts'
import type { SourceStatusStore } from './source-status-store.ts'
import type { TemplateStore } from './template-store.ts'

/**
 * The hub's state. Every write is one conditional write of one item, is safe to repeat, and leaves a legal state.
 * A method that answers instead of throwing has used a strongly consistent read.
 */
export interface FleetStore
  extends LeaseStore,
    HostStore,
    RunnerStore,
    TemplateStore,
    SourceStatusStore,
    FleetReader,
    RecordStore {}
