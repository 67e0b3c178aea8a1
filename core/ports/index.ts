/** The outside world of the core: one file per port. */
export type { AgentGateway } from './agent-gateway.ts'
export type { Clock, Randomness } from './clock.ts'
export {
  type DemandSource,
  type Mint,
  type MintRequest,
  SecretMissing,
  SourceError,
  type SourceFailureKind,
} from './demand-source.ts'
export type { FleetReader } from './fleet-reader.ts'
export type { FleetStore } from './fleet-store.ts'
export type { HostStore } from './host-store.ts'
export type { LeaseStore } from './lease-store.ts'
export type { Log, LogEntry } from './log.ts'
export type { RecordStore } from './record-store.ts'
export type { RunnerStore } from './runner-store.ts'
export type { SecretReader } from './secret-reader.ts'
export type { SourceStatusStore } from './source-status-store.ts'
export type { TemplateStore } from './template-store.ts'
