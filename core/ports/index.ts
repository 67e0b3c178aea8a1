import type {
  AgentConnection,
  Backoff,
  ConnectionId,
  DemandAnswer,
  Ending,
  Epoch,
  EpochMs,
  Fence,
  Fleet,
  FleetChanges,
  HelloFacts,
  Host,
  HostId,
  HostLiveness,
  HubMessage,
  ImageState,
  Lease,
  LeaseNotes,
  LiveRunner,
  LiveRunners,
  Moved,
  ObservedRunner,
  PollRequest,
  Reservation,
  Runner,
  RunnerId,
  RunnerReport,
  Secret,
  Slot,
  SlotClaim,
  SourceId,
  SourceStatus,
  StopOrder,
  Template,
  TemplateKey,
  TemplateVersion,
  TemplateVersionFacts,
} from '../model/index.ts'

/* ── Time, randomness, log ─────────────────────────────────────────────────────────────────────────────────── */

export interface Clock {
  /** Wall clock of the hub: for records only, never for safety. */
  now(): EpochMs
  /** Milliseconds of a clock that never jumps: for every deadline. */
  monotonicMs(): number
  /** Resolves after `ms`, or at once when the signal aborts (without throwing). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Randomness {
  /** Uniform in [0, 1). */
  unit(): number
  bytes(count: number): Uint8Array
}

/** Typed events with stable dotted names. Fields may hold a `Secret`: it prints as `[secret]`. */
export interface Log {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void
  error(event: string, fields?: Readonly<Record<string, unknown>>): void
}

/** One event as whoever writes it down gets it. */
export interface LogEntry {
  /** By the wall clock, milliseconds since 1970. */
  readonly at: number
  readonly level: keyof Log
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

/* ── Secrets ───────────────────────────────────────────────────────────────────────────────────────────────── */

export interface SecretReader {
  /** Null: there surely is none of that name. Throws when nobody can tell. */
  readSecret(name: string): Promise<Secret | null>
}

/* ── Demand source ─────────────────────────────────────────────────────────────────────────────────────────── */

export { SecretMissing, SourceError, type SourceFailureKind } from '../model/source-error.ts'

export interface MintRequest {
  readonly reservation: Reservation['id'] | null
  readonly runners: readonly { readonly id: RunnerId; readonly template: Template }[]
}

/** One runner's own registration: the environment that lets its container take one job. */
export type Mint =
  | {
      readonly runner: RunnerId
      readonly ok: true
      readonly env: Readonly<Record<string, string>>
      readonly secretEnv: Readonly<Record<string, Secret>>
    }
  | {
      readonly runner: RunnerId
      readonly ok: false
      readonly code: 'reservation-expired' | 'mint-refused' | 'mint-unknown'
      readonly reason: string
    }

export interface DemandSource {
  readonly id: SourceId
  /** Proves that the source can be reached and accepts the token, and learns its limits. Call first. */
  authenticate(signal: AbortSignal): Promise<SourceLimits>
  /** Reservations granted now; [] means none, never unknown. The call ends within `waitSeconds` and a margin, or throws. */
  poll(request: PollRequest, signal: AbortSignal): Promise<DemandAnswer>
  /** One answer per runner asked for, in any order. A runner's token is never handed out twice. */
  mint(request: MintRequest, signal: AbortSignal): Promise<readonly Mint[]>
  /** Idempotent: states only move up at the source. Batches by the source's limits. */
  report(reports: readonly RunnerReport[], signal: AbortSignal): Promise<void>
  /** `observed` is the full set of live runners. One answer per id that the source knows. */
  reconcile(observed: readonly RunnerId[], signal: AbortSignal): Promise<readonly ObservedRunner[]>
}

export interface SourceLimits {
  /** Most templates that the source can be told about. */
  readonly templatesMax: number
  /** Most runners in one mint call. */
  readonly mintBatchMax: number
  /** Mint calls per window; null = unlimited. */
  readonly mintCalls: { readonly max: number; readonly windowMs: number } | null
  readonly reservationsMax: number
  /** The longest hold of one poll that the owner allows. */
  readonly pollWaitSecondsMax: number
  readonly pollIntervalMs: number
  readonly pollIntervalMaxMs: number
  /** Pace of reports about runners that move on. */
  readonly reportIntervalMs: number
  /** A runner that has not registered by then is ended. */
  readonly registrationDeadlineMs: number
  /** How long one unit of a reservation lives from its grant. */
  readonly reservationTtlMs: number
  /** Whether runners may be started with no reservation. */
  readonly warm: boolean
}

/* ── Agents ────────────────────────────────────────────────────────────────────────────────────────────────── */

export interface AgentGateway {
  /** `gone`: the connection surely doesn't exist any more. Throws when delivery is unknown. */
  post(connection: ConnectionId, message: HubMessage): Promise<'posted' | 'gone'>
  /** Ends a connection; one that is gone already is fine. */
  close(connection: ConnectionId): Promise<void>
}

/* ── State ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * The hub's state. Every write is one conditional write of one item, is safe to repeat, and leaves a legal state.
 * A method that answers instead of throwing has decided on a strongly consistent read.
 */
export interface FleetStore {
  /* the lease: one planner for the fleet */
  readLease(): Promise<Lease | null>
  /** Takes a lease that is free, over (`now` past its end) or already this holder's; the fence rises. Null: held by another. */
  takeLease(request: {
    holder: string
    build: string
    now: EpochMs
    ttlMs: number
    handOverAt: EpochMs | null
  }): Promise<Lease | null>
  /** Null: lost (another fence, or another holder). */
  renewLease(request: {
    holder: string
    fence: Fence
    now: EpochMs
    ttlMs: number
    notes: LeaseNotes
  }): Promise<Lease | null>
  /** Ends it at once, notes kept; a lease that is another's already is left alone. */
  releaseLease(request: { holder: string; fence: Fence; now: EpochMs; notes: LeaseNotes }): Promise<void>
  /** Asks this holder to hand over to `build`; whoever holds the lease by then instead is not asked. */
  requestYield(request: { holder: string; build: string }): Promise<void>

  /* hosts */
  /** False: a host of that name exists. */
  addHost(request: { id: HostId; tags: readonly string[]; tokenHash: string; now: EpochMs }): Promise<boolean>
  getHost(id: HostId): Promise<Host | null>
  /** False: no such host. */
  replaceToken(request: { host: HostId; tokenHash: string; now: EpochMs }): Promise<boolean>
  /** Raises the host's fence; never lowers it. Null: no such host. `readChanges` doesn't tell it. */
  raiseFence(id: HostId, fence: Fence): Promise<Host | null>
  /**
   * Claims all or none, 1 to `CLAIMS_MAX` different runners. Null: fence, epoch, state or room do not hold any more;
   * read the host again. Slots that are all held already, under this fence, answer as claimed.
   */
  claimSlots(request: {
    host: HostId
    fence: Fence
    epoch: Epoch
    claims: readonly SlotClaim[]
    now: EpochMs
  }): Promise<Host | null>
  /** Records a slot that a container really holds, whatever room there is. */
  adoptSlot(request: { host: HostId; runner: RunnerId; slot: Slot; now: EpochMs }): Promise<void>
  /** Frees a slot once; a slot that is not there is fine. `only` leaves it alone while the host is in another state. */
  freeSlot(request: { host: HostId; runner: RunnerId; only?: Host['state']; now: EpochMs }): Promise<void>
  /** Null clears it. */
  setBackoff(request: {
    host: HostId
    template: TemplateKey
    backoff: Backoff | null
    now: EpochMs
  }): Promise<void>
  /** Sessions: raises the epoch, and the host is `syncing` until `openHost`. Null: no such host. */
  beginSession(request: AgentConnection & { facts: HelloFacts; now: EpochMs }): Promise<Host | null>
  /** `syncing` → `online` for that epoch. False: a newer session has begun. */
  openHost(request: { host: HostId; epoch: Epoch; now: EpochMs }): Promise<boolean>
  /** → `offline`, if `connection` is still the host's. False: a newer session has begun, or it ended already. */
  endSession(request: AgentConnection & { now: EpochMs }): Promise<boolean>
  /** Changes only what differs; ignored for an older epoch. */
  setAccepting(request: {
    host: HostId
    epoch: Epoch
    accepting: boolean
    reason: string | null
    now: EpochMs
  }): Promise<void>
  /** `offline` → `dead`, if nothing changed since `revision`. False: it did. */
  declareDead(request: { host: HostId; revision: number; now: EpochMs }): Promise<boolean>
  /** Removes a host and its liveness and image items; its runners stay. */
  removeHost(id: HostId): Promise<void>
  /** Keeps the newest (epoch, lastSeenAt). A sign that was expected is no news: `readChanges` may leave it out. */
  putLiveness(liveness: HostLiveness): Promise<void>
  getLiveness(host: HostId): Promise<HostLiveness | null>
  /** Merges by image. */
  mergeImages(request: { host: HostId; images: ReadonlyMap<string, ImageState>; now: EpochMs }): Promise<void>

  /* runners */
  /** Null: written, or there already as exactly this. Otherwise what is there. */
  putRunner(runner: Runner, now: EpochMs): Promise<Runner | null>
  getRunner(host: HostId, id: RunnerId): Promise<Runner | null>
  /** Every runner of a host that is not gone: complete, or it throws. */
  listLiveRunners(host: HostId): Promise<LiveRunners>
  /** Moves a runner along one edge of the state machine, if it stands at the edge's start. Otherwise says what is there. */
  dispatchRunner(request: { host: HostId; id: RunnerId; epoch: Epoch; now: EpochMs }): Promise<Moved>
  /** From `reserved` or `dispatched`. */
  startRunner(request: { host: HostId; id: RunnerId; startedAt: EpochMs; now: EpochMs }): Promise<Moved>
  /** From any live state; `only` narrows it. `startedAt` is kept when the runner was running. */
  endRunner(request: {
    host: HostId
    id: RunnerId
    ending: Ending
    only?: readonly LiveRunner['state'][]
    startedAt?: EpochMs
    now: EpochMs
  }): Promise<Moved>
  /** An agent of a newer session knows a dispatched runner: it is that session's now. */
  confirmRunner(request: { host: HostId; id: RunnerId; epoch: Epoch; now: EpochMs }): Promise<Moved>
  /** Removes a tombstone; a runner that lives stays, and one that is not there is fine. */
  forgetRunner(request: { host: HostId; id: RunnerId }): Promise<void>
  /** Writes the order once; a runner that is gone keeps none. */
  orderStop(request: { host: HostId; id: RunnerId; stop: StopOrder; now: EpochMs }): Promise<Moved>

  /* templates */
  /** The current version, whole (null) or its number (0) = none was ever stored. The number is a cheap read. */
  readTemplates(): Promise<TemplateVersion | null>
  readTemplatesVersion(): Promise<number>
  /** Null: never there, or no longer kept. */
  getTemplateVersion(version: number): Promise<TemplateVersion | null>
  /** Newest first, up to `limit`. */
  listTemplateVersions(limit: number): Promise<readonly TemplateVersionFacts[]>
  /** Makes it the current version, number `after + 1`. False: the current one isn't `after` any more (0 = none yet). */
  putTemplateVersion(version: TemplateVersion, after: number): Promise<boolean>

  /* sources */
  /** Replaces what was known of that source. */
  putSourceStatus(status: SourceStatus): Promise<void>
  /** Sorted by source. One that can't be read is left out: it is written anew within seconds of the next pass. */
  readSourceStatuses(): Promise<readonly SourceStatus[]>

  /* reading it all */
  /** Strongly consistent and complete (every page), or it throws. Tombstones included. */
  readFleet(): Promise<Fleet>
  /**
   * Hosts, liveness, images and runners written since `cursor`: a hint, read from an index that may lag. May
   * repeat what was told before; must tell everything within a few seconds of its writing, signs of life that were
   * expected excepted.
   */
  readChanges(cursor: EpochMs): Promise<FleetChanges>

  /* records */
  putBlackBox(request: {
    host: HostId
    runner: RunnerId
    part: number
    parts: number
    text: string
    now: EpochMs
  }): Promise<void>
  /** The whole text, or null while a part is missing. */
  getBlackBox(host: HostId, runner: RunnerId): Promise<string | null>
  /** Removes tombstones and black boxes older than `before`, up to `limit`; says how many. */
  removeExpired(request: { before: EpochMs; limit: number }): Promise<number>
}
