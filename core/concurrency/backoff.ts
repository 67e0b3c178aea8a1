/**
 * Which part of a pause is random. `full`: all of it, for callers that would otherwise return together. `equal`: its
 * upper half, where a retry that comes at once would be too early. `none`: nothing, where no two callers can meet.
 */
export type Jitter = 'full' | 'equal' | 'none'

/** How long to pause after failures in a row. */
export interface BackoffPolicy {
  /** Upper bound of the pause after the first failure. */
  readonly firstMs: number
  /** No bound grows beyond this. */
  readonly maxMs: number
  /** The bound is multiplied by this with each further failure in a row. */
  readonly growth: number
  readonly jitter: Jitter
  /** Added to every pause. */
  readonly floorMs?: number
}

const MINUTE_MS = 60_000

/** Every backoff with fixed bounds. That of polls depends on each source's limits: `core/plan/demand/poll-pace.ts`. */
export const BACKOFF = {
  /**
   * An agent connects to its hub. Full jitter from the first try on: all hosts reconnect when a hub returns, but not in
   * the same second (W10).
   */
  connect: { firstMs: 1_000, maxMs: 30_000, growth: 2, jitter: 'full' },
  /** A refused token needs a person; jobs run on meanwhile. */
  refusedToken: { firstMs: 2 * MINUTE_MS, maxMs: 2 * MINUTE_MS, growth: 1, jitter: 'equal' },
  /** An agent lists its engine again. */
  engine: { firstMs: 250, maxMs: 10_000, growth: 2, jitter: 'full' },
  /** Registries limit how often they are asked, hence the floor. */
  imagePull: { firstMs: 10_000, maxMs: 10 * MINUTE_MS, growth: 2, jitter: 'full', floorMs: 10_000 },
  /**
   * A template on a host where its launches fail, and a source that grants but does not mint. Long enough to stop a
   * storm, short enough that a repaired host is back before anyone asks why.
   */
  launch: { firstMs: 5_000, maxMs: 5 * MINUTE_MS, growth: 2, jitter: 'equal' },
  /** A mint that surely had no effect; its batch ends with its reservation, so the pause does not grow. */
  mint: { firstMs: 500, maxMs: 500, growth: 1, jitter: 'full', floorMs: 1_000 },
  /** A report to a source, which declares runners lost that it has not heard of for 120 s: four tries fit in. */
  report: { firstMs: 1_000, maxMs: 30_000, growth: 2, jitter: 'equal' },
  /** One process restarts its own control loop: no other one does at the same time. */
  restart: { firstMs: 1_000, maxMs: 30_000, growth: 2, jitter: 'none' },
  /** The rest of a throttled batch of a table; many functions share the table. */
  tableBatch: { firstMs: 100, maxMs: 5_000, growth: 2, jitter: 'equal' },
  /** A read of Parameter Store. */
  secretRead: { firstMs: 200, maxMs: 1_000, growth: 2, jitter: 'full' },
} as const satisfies Readonly<Record<string, BackoffPolicy>>

/** Far beyond every policy's maximum; keeps the power finite. */
const DOUBLINGS_MAX = 30

/** The pause after this many failures in a row (1 = the first), in whole ms. `unit` is uniform in [0, 1). Pure. */
export function backoffMs(policy: BackoffPolicy, failures: number, unit: number): number {
  const { firstMs, maxMs, growth, jitter, floorMs = 0 } = policy
  const exponent = Math.min(Math.max(failures, 1) - 1, DOUBLINGS_MAX)
  const boundMs = Math.min(maxMs, firstMs * growth ** exponent)
  return floorMs + Math.floor(boundMs * shareOf(jitter, unit))
}

function shareOf(jitter: Jitter, unit: number): number {
  switch (jitter) {
    case 'full':
      return unit
    case 'equal':
      return (1 + unit) / 2
    case 'none':
      return 1
  }
}

/** A time in [min, max), for what many do now and then and should not do together. */
export function spreadMs({ min, max }: { readonly min: number; readonly max: number }, unit: number): number {
  return min + Math.floor((max - min) * unit)
}
