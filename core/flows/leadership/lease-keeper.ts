import type { Fence, Lease, LeaseNotes } from '../../model/index.ts'
import type { Clock, LeaseStore, Log } from '../../ports/index.ts'
import type { LeaseGuard } from '../planner/lease-guard.ts'
import { withinTime } from '../../concurrency/within-time.ts'

/** Long enough for a few lost renewals, short enough that a killed holder is replaced within 90 s in all. */
export const LEASE_TTL_MS = 20_000
const RENEW_EVERY_MS = 8_000
/** A renewal that has no answer by then is taken as failed, though it may still come. */
const RENEW_MAX_MS = 3_000
/** A renewal that failed is tried again soon. */
const RENEW_AGAIN_MS = 1_000
/** A call to a source ends this long before the lease does. */
const CALL_MARGIN_MS = 2_000

type KeeperStore = Pick<LeaseStore, 'renewLease' | 'releaseLease'>

/**
 * Holds the fleet lease by renewing it. Its end is computed from the monotonic clock before each request was sent: a
 * holder that was paused notices by itself that its lease is over.
 */
export class LeaseKeeper implements LeaseGuard {
  readonly fence: Fence
  readonly #store: KeeperStore
  readonly #clock: Clock
  readonly #log: Log
  readonly #holder: string
  readonly #notes: () => LeaseNotes
  #endsAtMs: number
  #lost = false
  readonly #over = new AbortController()
  readonly #asked = new AbortController()

  constructor(
    ports: { store: KeeperStore; clock: Clock; log: Log },
    lease: Lease,
    takenAtMs: number,
    notes: () => LeaseNotes,
  ) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#log = ports.log
    this.fence = lease.fence
    this.#holder = lease.holder
    this.#notes = notes
    this.#endsAtMs = takenAtMs + LEASE_TTL_MS
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  get isLost(): boolean {
    return this.#lost
  }

  get yielding(): AbortSignal {
    return this.#asked.signal
  }

  msForCalls(): number {
    return Math.max(0, this.#endsAtMs - this.#clock.monotonicMs() - CALL_MARGIN_MS)
  }

  async call<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const held = AbortSignal.any([signal, this.signal])
    return withinTime({ clock: this.#clock, ms: this.msForCalls(), signal: held }, work)
  }

  holds(): boolean {
    if (!this.#lost && this.#clock.monotonicMs() >= this.#endsAtMs) this.#lose()
    return !this.#lost
  }

  /** Renews until `signal` aborts or the lease is lost. */
  async keep(signal: AbortSignal): Promise<void> {
    const underWay = new Set<Promise<boolean>>()
    let restMs = RENEW_EVERY_MS
    while (!signal.aborted && this.holds()) {
      await this.#clock.sleep(restMs, AbortSignal.any([signal, this.signal]))
      // The process was paused meanwhile: its state is as outdated as its lease.
      if (signal.aborted || !this.holds()) break
      const renewal = this.#renew().finally(() => underWay.delete(renewal))
      underWay.add(renewal)
      restMs = (await this.#inTime(renewal)) ? RENEW_EVERY_MS : RENEW_AGAIN_MS
    }
    await Promise.all(underWay)
  }

  /** False: it failed, or has no answer yet. */
  async #inTime(renewal: Promise<boolean>): Promise<boolean> {
    const done = new AbortController()
    const late = this.#clock.sleep(RENEW_MAX_MS, AbortSignal.any([done.signal, this.signal]))
    const isDone = await Promise.race([renewal, late.then(() => false)])
    done.abort()
    await late
    return isDone
  }

  async release(): Promise<void> {
    await this.#store.releaseLease({
      holder: this.#holder,
      fence: this.fence,
      now: this.#clock.now(),
      notes: this.#notes(),
    })
  }

  /** False: the outcome is unknown. */
  async #renew(): Promise<boolean> {
    const sentAtMs = this.#clock.monotonicMs()
    const request = { holder: this.#holder, fence: this.fence, now: this.#clock.now(), ttlMs: LEASE_TTL_MS }
    try {
      const lease = await this.#store.renewLease({ ...request, notes: this.#notes() })
      if (lease === null) this.#lose()
      else {
        this.#endsAtMs = Math.max(this.#endsAtMs, sentAtMs + LEASE_TTL_MS)
        if (lease.yieldTo !== null) this.#asked.abort()
      }
      return true
    } catch (cause) {
      this.#log.emit({ name: 'lease.renewal-failed', cause })
      this.holds()
      return false
    }
  }

  #lose(): void {
    if (this.#lost) return
    this.#lost = true
    this.#log.emit({ name: 'lease.lost', fence: this.fence })
    this.#over.abort()
  }
}
