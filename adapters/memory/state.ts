import type {
  EpochMs,
  Host,
  HostId,
  HostImages,
  HostLiveness,
  Lease,
  Runner,
  RunnerId,
  SourceId,
  SourceStatus,
  TemplateVersion,
} from '../../core/model/index.ts'

/** One record and the `now` of its last write. */
export interface Kept<T> {
  readonly value: T
  readonly changedAt: EpochMs
}

/** One part of a crash report. */
export interface CrashReportPart {
  readonly host: HostId
  readonly runner: RunnerId
  readonly part: number
  readonly parts: number
  readonly text: string
}

/** Everything that the store holds. Values are never mutated, and are copied on the way in and out. */
export interface State {
  lease: Lease | null
  readonly hosts: Map<HostId, Kept<Host>>
  readonly liveness: Map<HostId, Kept<HostLiveness>>
  readonly images: Map<HostId, Kept<HostImages>>
  readonly runners: Map<`${HostId}/${RunnerId}`, Kept<Runner>>
  /** By host, runner and part. */
  readonly crashReports: Map<string, Kept<CrashReportPart>>
  /** Newest first. */
  templates: readonly TemplateVersion[]
  readonly statuses: Map<SourceId, SourceStatus>
}

export function emptyState(): State {
  return {
    lease: null,
    hosts: new Map(),
    liveness: new Map(),
    images: new Map(),
    runners: new Map(),
    crashReports: new Map(),
    templates: [],
    statuses: new Map(),
  }
}

export function runnerName(host: HostId, id: RunnerId): `${HostId}/${RunnerId}` {
  return `${host}/${id}`
}

/** A copy, so that callers cannot mutate the store. */
export function copy<T>(value: T): T {
  return structuredClone(value)
}
