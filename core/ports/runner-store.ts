import type {
  Ending,
  Epoch,
  EpochMs,
  HostId,
  LiveRunner,
  LiveRunners,
  Moved,
  Runner,
  RunnerId,
  StopOrder,
} from '../model/index.ts'

/** Runners, from reservation to tombstone. */
export interface RunnerStore {
  /** Null: written, or there already as exactly this. Otherwise the stored runner. */
  putRunner(runner: Runner, now: EpochMs): Promise<Runner | null>
  getRunner(host: HostId, id: RunnerId): Promise<Runner | null>
  /** Every runner of a host that is not gone: complete, or it throws. */
  listLiveRunners(host: HostId): Promise<LiveRunners>
  /**
   * Moves a runner along one edge of the state machine, if it stands at the edge's start. Otherwise answers with the
   * stored runner.
   */
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
  /** Assigns a dispatched runner to a newer session whose agent knows it. */
  confirmRunner(request: { host: HostId; id: RunnerId; epoch: Epoch; now: EpochMs }): Promise<Moved>
  /** Removes a tombstone; a runner that lives stays, and one that is not there is fine. */
  forgetRunner(request: { host: HostId; id: RunnerId }): Promise<void>
  /** Writes the order once; a runner that is gone keeps none. */
  orderStop(request: { host: HostId; id: RunnerId; stop: StopOrder; now: EpochMs }): Promise<Moved>
}
