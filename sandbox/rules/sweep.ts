import type { EpochMs } from '../types.ts'
import { loseSilentJobs } from './jobs.ts'
import { failStaleRunners } from './reports.ts'
import { isTerminal } from './rows.ts'
import type { World } from './world.ts'

/** Ended jobs and runners, used tokens and old sessions are kept for a day, so that "used" differs from "unknown". */
const RETENTION_MS = 86_400_000

/** Every second: ends jobs with expired leases, and removes expired reservations. */
export function sweepLeases(world: World, now: EpochMs): void {
  loseSilentJobs(world, now)
  for (const reservation of world.openReservations.all('open')) {
    if (reservation.expiresAt <= now) world.reservations.hold({ ...reservation, count: 0 })
  }
}

/** Every minute: ends silent runners, and removes old rows. */
export function sweepStale(world: World, now: EpochMs): void {
  failStaleRunners(world, now)
  const old = now - RETENTION_MS
  for (const { id, expiresAt } of world.tokens.values()) if (expiresAt < old) world.tokens.delete(id)
  for (const { id, expiresAt } of world.reservations.values())
    if (expiresAt < old) world.reservations.delete(id)
  for (const { id, createdAt } of world.sessions.values()) if (createdAt < old) world.sessions.delete(id)
  for (const job of world.jobs.values()) if ('endedAt' in job && job.endedAt < old) world.jobs.delete(job.id)
  for (const runner of world.runners.values()) {
    if (isTerminal(runner.state) && runner.reportedAt < old) world.runners.delete(runner.id)
  }
  for (const [hash, { startedAt }] of world.registerWindows) {
    if (startedAt < now - 60_000) world.registerWindows.delete(hash)
  }
}
