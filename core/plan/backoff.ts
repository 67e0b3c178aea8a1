import { BACKOFF, backoffMs } from '../concurrency/backoff.ts'
import type { Backoff, EndCode, EpochMs, GoneRunner } from '../model/index.ts'

/** A runner that fails this soon has not run a job: its image or its host is broken. */
const FAST_EXIT_MS = 3_000

/** Ends that are likely to recur for this template on this host: not caused by the job, the source or a person. */
const HOST_FAULTS: ReadonlySet<EndCode> = new Set([
  'image-unavailable',
  'engine-failed',
  'engine-unreachable',
  'never-started',
  'never-registered',
  'launch-too-large',
  'container-vanished',
  'host-rebooted',
])

export function isHostFault(runner: GoneRunner): boolean {
  if (HOST_FAULTS.has(runner.code)) return true
  const ranMs = runner.startedAt === null ? Infinity : runner.goneAt - runner.startedAt
  return runner.code === 'exited-with-error' && ranMs < FAST_EXIT_MS
}

/** A runner that lived for a while, or ended well, shows that its host can run its template. */
export function provesHost(runner: GoneRunner): boolean {
  const ranMs = runner.startedAt === null ? 0 : runner.goneAt - runner.startedAt
  return runner.outcome === 'finished' || (ranMs >= FAST_EXIT_MS && !HOST_FAULTS.has(runner.code))
}

/**
 * The pause after one more failure; `unit` is uniform in [0, 1) and spreads hosts that fail together. What fails
 * during a pause was started before the pause: a burst of failures counts once.
 */
export function nextBackoff(before: Backoff | undefined, now: EpochMs, unit: number): Backoff {
  if (before !== undefined && now < before.until) return before
  const failures = (before?.failures ?? 0) + 1
  return { failures, until: now + backoffMs(BACKOFF.launch, failures, unit) }
}
