import type { RefusalReason } from '../demand.ts'
import type { HubMessage, Sighting } from '../messages.ts'
import type { Epoch, EpochMs, HostId, ReservationId, RunnerId, SourceId, TemplateKey } from '../ids.ts'
import type { Ending, EndCode, StopReason } from '../runner.ts'
import type { SourceFailureKind } from '../source-error.ts'
import { error, type Failure, info, type Thrown, warn } from './definition.ts'

interface RunnerFields {
  readonly runner: RunnerId
  readonly template: TemplateKey
  readonly host: HostId
  readonly source: SourceId
  readonly labels: readonly string[]
}

/** How long a start took. `queuedMs` is an upper bound, absent for a runner that an earlier holder reserved. */
export interface StartTimes {
  readonly reservedMs: number
  readonly queuedMs?: number
}

interface EndFields extends Ending {
  readonly startedAt: EpochMs | null
  readonly goneAt: EpochMs
}

/** Jobs that get no runner now. `code`: why, as a stable word; `details` are those of that code. */
interface Unserved extends Failure {
  readonly source: SourceId
  readonly labels: readonly string[]
  readonly count: number
  readonly code: RefusalReason['code']
  readonly details: RefusalReason
}

/** Units that found no room after all, and are given back unused. */
interface Unplaced extends Failure {
  readonly source: SourceId
  readonly labels: readonly string[]
  readonly count: number
}

interface SourceFailed extends Failure {
  readonly source: SourceId
  readonly kind: SourceFailureKind
}

/** What the hub sees of runners, hosts, jobs and sources. */
export const FLEET_EVENTS = {
  'demand.granted': info<{
    source: SourceId
    reservation: ReservationId
    labels: readonly string[]
    count: number
  }>(),
  'demand.refused': info<Unserved>(),
  'demand.unplaced': warn<Unserved | Unplaced>(),
  'demand.waiting': info<{ source: SourceId; jobs: number }>(),
  'host.backing-off': warn<{ host: HostId; template: TemplateKey; failures: number; until: EpochMs }>(),
  'host.connected': info<{ host: HostId; epoch: Epoch; agentVersion: string; engine: string }>(),
  'host.connection-not-closed': warn<Thrown & { host: HostId }>(),
  'host.dead': error<{ host: HostId; offlineSince: EpochMs }>(),
  'host.message-undelivered': warn<Thrown & { host: HostId; type: HubMessage['type'] }>(),
  'host.offline': warn<{ host: HostId }>(),
  'host.online': info<{ host: HostId; epoch: Epoch }>(),
  'host.order-undelivered': warn<Thrown & { host: HostId; order: HubMessage['type'] }>(),
  'host.second-install-refused': error<{ host: HostId }>(),
  'host.silent': warn<{ host: HostId; expectedBy: EpochMs }>(),
  'runner.absent': warn<{ runner: RunnerId; host: HostId; code: EndCode }>(),
  'runner.dispatched': info<RunnerFields>(),
  'runner.gone': info<RunnerFields & EndFields>(),
  'runner.host-removed': warn<{ runner: RunnerId; host: HostId }>(),
  'runner.rebuilt': warn<{ runner: RunnerId; host: HostId; template: TemplateKey }>(),
  'runner.reserved': info<RunnerFields>(),
  'runner.running': info<RunnerFields & StartTimes>(),
  'runner.stop-ordered': info<{ runner: RunnerId; reason: StopReason }>(),
  'runner.unknown': warn<{ runner: RunnerId; phase: Sighting['phase'] }>(),
  'source.absent-ended': warn<{ source: SourceId; count: number; first: string }>(),
  'source.authenticated': info<{ source: SourceId; generation: 'v1' | 'v2'; scope: string }>(),
  'source.back': info<{ source: SourceId }>(),
  'source.cancel.ignored': warn<Failure & { source: SourceId; id: string }>(),
  'source.mint-backing-off': warn<{ source: SourceId; failures: number }>(),
  'source.mint-failed': warn<SourceFailed & { runners: number }>(),
  'source.mint.lost': error<Failure & { source: SourceId; runners: readonly RunnerId[] }>(),
  'source.mint.narrowed': warn<{ source: SourceId; code: string | null; from: number; to: number }>(),
  /** `inRow`: failed polls in a row; absent = a look without the lease, which counts none. */
  'source.poll-failed': warn<SourceFailed & { inRow?: number }>(),
  'source.reconcile-failed': error<SourceFailed>(),
  'source.report-failed': warn<SourceFailed>(),
  'source.report.unsendable': error<Failure & { source: SourceId; runner: string; state: string }>(),
  'source.reservation.dead-on-arrival': warn<{
    source: SourceId
    reservation: ReservationId
    lifetimeMs: number
  }>(),
  'source.unauthorized': error<Failure & { source: SourceId }>(),
}
