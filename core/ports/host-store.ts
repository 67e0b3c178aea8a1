import type {
  AgentConnection,
  Backoff,
  Epoch,
  EpochMs,
  Fence,
  HelloFacts,
  Host,
  HostId,
  HostLiveness,
  ImageState,
  RunnerId,
  Slot,
  SlotClaim,
  TemplateKey,
} from '../model/index.ts'

/** Hosts with their slots, sessions, liveness and images. */
export interface HostStore {
  /** False: a host of that name exists. */
  addHost(request: { id: HostId; tags: readonly string[]; tokenHash: string; now: EpochMs }): Promise<boolean>
  getHost(id: HostId): Promise<Host | null>
  /** False: no such host. */
  replaceToken(request: { host: HostId; tokenHash: string; now: EpochMs }): Promise<boolean>
  /** Raises the host's fence; never lowers it. Null: no such host. `readChanges` doesn't report it. */
  raiseFence(id: HostId, fence: Fence): Promise<Host | null>
  /**
   * Claims all or none, 1 to `CLAIMS_MAX` different runners. Null: fence, epoch, state or free capacity no longer
   * match; read the host again. Slots that are all held already, under this fence, answer as claimed.
   */
  claimSlots(request: {
    host: HostId
    fence: Fence
    epoch: Epoch
    claims: readonly SlotClaim[]
    now: EpochMs
  }): Promise<Host | null>
  /** Records a slot that a container really uses, whatever capacity is left. */
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
  /** Keeps the newest (epoch, lastSeenAt). `readChanges` may leave out a heartbeat that was expected. */
  putLiveness(liveness: HostLiveness): Promise<void>
  getLiveness(host: HostId): Promise<HostLiveness | null>
  /** Merges by image. */
  mergeImages(request: { host: HostId; images: ReadonlyMap<string, ImageState>; now: EpochMs }): Promise<void>
}
