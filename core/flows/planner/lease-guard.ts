import type { Fence } from '../../model/index.ts'

/** What the planner needs to know of the fleet's lease. By the monotonic clock, so that a paused process notices. */
export interface LeaseGuard {
  readonly fence: Fence
  /** Aborts when the lease is no longer held. */
  readonly signal: AbortSignal
  /** Aborts when a successor asks for the lease; it is still held, and renewed until it is released. */
  readonly yielding: AbortSignal
  /** True while this holder may still write and send commands. */
  holds(): boolean
  /** Time that a call to the outside may still take. */
  msForCalls(): number
  /** Runs one call to the outside with a signal that ends it before the lease does. */
  call<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>
}
