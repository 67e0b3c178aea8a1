import {
  type Backoff,
  type EpochMs,
  type Refusal,
  type ReservedRunner,
  type RunnerId,
  type RunnerReport,
  SlipwayError,
  type SourceId,
  type SourceLimits,
  type SourceState,
  type WaitingJobs,
} from '../../model/index.ts'
import type { Hold, LastPoll, MintWindow, SourceDemand } from '../../plan/index.ts'
import type { DemandSource } from '../../ports/index.ts'
import { Notify } from '../../concurrency/notify.ts'

/** A source writes off runners that it has not heard of for this long. */
const TROUBLE_AFTER_MS = 120_000

/** A call that tells the source of runners, or compares them with it. */
type Telling = 'report' | 'reconcile'

/** What the control loop knows and still owes about one source. Nothing here survives a take-over by itself. */
export class SourceDesk {
  readonly source: DemandSource
  #limits: SourceLimits | null = null
  last: LastPoll = { kind: 'none' }
  waiting: readonly WaitingJobs[] = []
  /** Why jobs wait, as of the last answer. */
  refusals: readonly Refusal[] = []
  /** How the last call that asks for jobs went; null = none has ended yet. */
  asking: SourceState | null = null
  /** What fails beside the asking, and since when by the monotonic clock. */
  readonly #troubles = new Map<Telling, { readonly sinceMs: number; readonly state: SourceState }>()
  /** A poll is open, or its answer is being taken in. */
  polling = false
  /** Mints under way: their tokens are in no store. */
  minting = 0
  /** Room promised to the poll in flight. */
  holds: readonly Hold[] = []
  /** The last ask left known jobs unasked: room that comes free is worth a poll at once. */
  starved = false
  /** What was last said about waiting jobs, so that it is said once. */
  refusalsSaid = ''
  mintWindow: MintWindow | undefined
  /** No mint before this time of the monotonic clock: the last one was turned away. */
  mintAfterMs = 0
  /** The pause after mints that gave nothing, by the monotonic clock: what is granted meanwhile would end alike. */
  mintBackoff: Backoff | undefined
  readonly pollNeeded = new Notify()
  readonly mintNeeded = new Notify()
  readonly mintQueue: ReservedRunner[] = []
  readonly reports = new Map<RunnerId, RunnerReport>()
  /** Ends that still have to reach the source, by the time of the end. */
  readonly unreportedEnds = new Map<RunnerId, EpochMs>()
  /** Fresh readings in a row in which a runner past its deadline had not registered. */
  readonly unregistered = new Map<RunnerId, number>()

  constructor(source: DemandSource) {
    this.source = source
  }

  /** Null: the call went well. */
  noteTelling(call: Telling, problem: SourceState | null, nowMs: number): void {
    if (problem === null) this.#troubles.delete(call)
    else this.#troubles.set(call, { sinceMs: this.#troubles.get(call)?.sinceMs ?? nowMs, state: problem })
  }

  /** How the source stands, null = not known yet: inv. 20, one that gives jobs and can't be told of them is failing. */
  stateAt(nowMs: number): SourceState | null {
    if (this.asking?.kind !== 'ok') return this.asking
    const lasting = [...this.#troubles.values()].find(({ sinceMs }) => nowMs - sinceMs >= TROUBLE_AFTER_MS)
    return lasting?.state ?? this.asking
  }

  /** The source has accepted our token, and these are its limits. */
  open(limits: SourceLimits): void {
    this.#limits = limits
  }

  get limits(): SourceLimits {
    if (this.#limits === null)
      throw new SlipwayError('source-not-open', `Source ${this.id} was used before it was opened.`)
    return this.#limits
  }

  get id(): SourceId {
    return this.source.id
  }

  /** Open, and answering: its demand is known and will be served. */
  get isServed(): boolean {
    return this.#limits !== null && this.last.kind !== 'failed' && this.last.kind !== 'unauthorized'
  }

  /** Most units to be granted now: while mints fail none, and after each pause one to try with. */
  grantsMax(nowMs: number): number {
    const { reservationsMax } = this.limits
    if (this.mintBackoff === undefined) return reservationsMax
    return nowMs < this.mintBackoff.until ? 0 : Math.min(1, reservationsMax)
  }

  demand(): Omit<SourceDemand, 'live'> {
    return { source: this.id, waiting: this.waiting, holds: this.holds }
  }

  /** Since when the oldest job of these labels waits, as far as the source has told. */
  oldestQueuedAt(labels: readonly string[]): EpochMs | null {
    const name = labels.join()
    return this.waiting.find((jobs) => jobs.labels.join() === name)?.oldestQueuedAt ?? null
  }

  /** Every end up to this time has reached the source. */
  reportedUpTo(now: EpochMs): EpochMs {
    return Math.min(now, ...this.unreportedEnds.values())
  }
}
