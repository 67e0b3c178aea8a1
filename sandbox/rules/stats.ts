import type { EpochMs, JobState, SandboxStats } from '../types.ts'
import { liveReservations } from './reservations.ts'
import type { World } from './world.ts'

export function sandboxStats(world: World, now: EpochMs): SandboxStats {
  const inState = (state: JobState): number => world.jobsByState.size(state)
  let reservedUnits = 0
  for (const { count } of liveReservations(world, now)) reservedUnits += count
  return {
    jobs: {
      queued: inState('queued'),
      claimed: inState('claimed'),
      finished: inState('finished'),
      failed: inState('failed'),
      cancelled: inState('cancelled'),
      lost: inState('lost'),
    },
    reservedUnits,
    activeRunners: world.activeRunners.size('active'),
  }
}

/** True if no job is queued or claimed. */
export function isIdle(world: World): boolean {
  return world.jobsByState.size('queued') === 0 && world.jobsByState.size('claimed') === 0
}
