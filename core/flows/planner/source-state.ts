import {
  type DemandAnswer,
  type EpochMs,
  type Refusal,
  SlipwayError,
  type SourceCondition,
  type SourceId,
  type SourceLimits,
  type WaitingJobs,
} from '../../model/index.ts'
import {
  type DemandPlan,
  type CapacityPromise,
  type LastPoll,
  type SourceDemand,
  ungranted,
} from '../../plan/index.ts'
import type { DemandSource } from '../../ports/index.ts'
import { Notify } from '../../concurrency/notify.ts'
import { MintQueue } from './mint-queue.ts'
import { ReportQueue } from './report-queue.ts'

/** A source declares runners lost that it has not received a report of for this long. */
const TROUBLE_AFTER_MS = 120_000

/** The calls that send runner states to the source. */
type RunnerCall = 'report' | 'reconcile'

/**
 * What the planner knows of one source, and what it has yet to send to it. In memory only: a new lease holder starts
 * anew.
 */
export class SourceState {
  readonly source: DemandSource
  readonly mints = new MintQueue()
  readonly reports = new ReportQueue()
  /** Notified when the source should be polled at once. */
  readonly pollNeeded = new Notify()
  #limits: SourceLimits | null = null
  #lastPoll: LastPoll = { kind: 'none' }
  #waiting: readonly WaitingJobs[] = []
  #refusals: readonly Refusal[] = []
  #pollCondition: SourceCondition | null = null
  /** The runner calls that fail, and since when by the monotonic clock. */
  readonly #troubles = new Map<
    RunnerCall,
    { readonly sinceMs: number; readonly condition: SourceCondition }
  >()
  #isPolling = false
  #promises: readonly CapacityPromise[] = []
  #isStarved = false
  #loggedText = ''

  constructor(source: DemandSource) {
    this.source = source
  }

  get id(): SourceId {
    return this.source.id
  }

  /** Throws `source-not-open` before `opened`. */
  get limits(): SourceLimits {
    if (this.#limits === null)
      throw new SlipwayError('source-not-open', `Source ${this.id} was used before it was opened.`)
    return this.#limits
  }

  get lastPoll(): LastPoll {
    return this.#lastPoll
  }

  /** Jobs that wait at the source, as of its last answer. */
  get waiting(): readonly WaitingJobs[] {
    return this.#waiting
  }

  /** Why jobs wait, as of the last answer. */
  get refusals(): readonly Refusal[] {
    return this.#refusals
  }

  /** A poll is open, or its answer is being processed. */
  get isPolling(): boolean {
    return this.#isPolling
  }

  /** A poll has ended since the start, well or badly. */
  get hasBeenPolled(): boolean {
    return this.#pollCondition !== null
  }

  /** Capacity promised to the poll in flight. */
  get promises(): readonly CapacityPromise[] {
    return this.#promises
  }

  /** The last poll left known jobs unasked: freed capacity is worth a poll at once. */
  get isStarved(): boolean {
    return this.#isStarved
  }

  /** Open, and answering: the source's demand is known and will be served. */
  get isServed(): boolean {
    return this.#limits !== null && this.#lastPoll.kind !== 'failed' && this.#lastPoll.kind !== 'unauthorized'
  }

  get demand(): Omit<SourceDemand, 'live'> {
    return { source: this.id, waiting: this.#waiting, promises: this.#promises }
  }

  /** Jobs wait at the source, or it has not received the end of a runner yet. */
  get hasWork(): boolean {
    return this.#waiting.length > 0 || this.reports.hasPendingEnds
  }

  /** Most units to ask for now. */
  reservationsMax(nowMs: number): number {
    return this.mints.reservationsMax(this.limits, nowMs)
  }

  /** The source has accepted our token, and these are its limits. */
  opened(limits: SourceLimits): void {
    this.#limits = limits
    this.#lastPoll = { kind: 'none' }
  }

  pollStarted({ total, promises }: DemandPlan): void {
    const known = this.#waiting.reduce((jobs, waiting) => jobs + ungranted(waiting), 0)
    this.#isStarved = total < known || total === 0
    this.#promises = promises
    this.#isPolling = true
  }

  answered({ waiting, reservations }: DemandAnswer): void {
    const inRow = this.#lastPoll.kind === 'empty' ? this.#lastPoll.inRow + 1 : 0
    this.#lastPoll = reservations.length > 0 ? { kind: 'granted' } : { kind: 'empty', inRow }
    this.#promises = []
    this.#waiting = waiting
    this.#pollCondition = { kind: 'ok' }
  }

  /** Returns the number of failures in a row. */
  pollFailed(condition: SourceCondition, retryAfterMs: number | null): number {
    const inRow = this.#lastPoll.kind === 'failed' ? this.#lastPoll.inRow + 1 : 1
    this.#pollCondition = condition
    this.#lastPoll = { kind: 'failed', inRow, retryAfterMs }
    return inRow
  }

  tokenRefused(condition: SourceCondition): void {
    this.#pollCondition = condition
    this.#lastPoll = { kind: 'unauthorized' }
  }

  /** Nothing is asked for now, for a reason that is not the source's. */
  pollSkipped(condition: SourceCondition): void {
    this.#pollCondition = condition
    this.#waiting = []
    this.#lastPoll = { kind: 'empty', inRow: 0 }
  }

  pollEnded(): void {
    this.#promises = []
    this.#isPolling = false
  }

  explained(refusals: readonly Refusal[]): void {
    this.#refusals = refusals
  }

  /** Whether this text about waiting jobs differs from the last one: each is logged once. */
  isNewText(text: string): boolean {
    const isNew = text !== this.#loggedText
    this.#loggedText = text
    return isNew
  }

  runnerCallSucceeded(call: RunnerCall): void {
    this.#troubles.delete(call)
  }

  runnerCallFailed(call: RunnerCall, condition: SourceCondition, nowMs: number): void {
    this.#troubles.set(call, { sinceMs: this.#troubles.get(call)?.sinceMs ?? nowMs, condition })
  }

  /**
   * How the source stands; null = not known yet. A source that grants jobs but accepts no reports
   * counts as failing (inv. 20: no storm of retries).
   */
  conditionAt(nowMs: number): SourceCondition | null {
    if (this.#pollCondition?.kind !== 'ok') return this.#pollCondition
    const lasting = [...this.#troubles.values()].find(({ sinceMs }) => nowMs - sinceMs >= TROUBLE_AFTER_MS)
    return lasting?.condition ?? this.#pollCondition
  }

  /** Since when the oldest job of these labels has waited, as the source last said. */
  oldestQueuedAt(labels: readonly string[]): EpochMs | null {
    const name = labels.join()
    return this.#waiting.find((jobs) => jobs.labels.join() === name)?.oldestQueuedAt ?? null
  }
}
