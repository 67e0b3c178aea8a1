import type { EpochMs } from '../model/index.ts'

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
