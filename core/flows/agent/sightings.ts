import type { Host, Runner, RunnerSighting } from '../../model/index.ts'
import type { Clock, HostStore, Log, RunnerStore } from '../../ports/index.ts'

export interface SightingPorts {
  readonly store: Pick<RunnerStore, 'startRunner' | 'endRunner' | 'getRunner'> & Pick<HostStore, 'freeSlot'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Stores what an agent saw of one runner. Monotone: late, repeated and reordered sightings change nothing. The
 * order at an end is runner first, slot after, so that a crash in between leaves one slot too many, never one too few.
 */
export async function applySighting(ports: SightingPorts, host: Host, seen: RunnerSighting): Promise<void> {
  const { store, clock } = ports
  const { runner: id, sighting } = seen
  const now = clock.now()
  const key = { host: host.id, id, now }
  if (sighting.phase === 'running') {
    logIfUnknown(ports, seen, (await store.startRunner({ ...key, startedAt: now - sighting.agoMs })).runner)
  }
  if (sighting.phase === 'exited' && !(seen.cleared && (await hasEnded(ports, host, seen)))) {
    const startedAt = sighting.startedAgoMs === null ? {} : { startedAt: now - sighting.startedAgoMs }
    logIfUnknown(ports, seen, (await store.endRunner({ ...key, ending: sighting.end, ...startedAt })).runner)
  }
  if (sighting.phase === 'refused') {
    logIfUnknown(ports, seen, (await store.endRunner({ ...key, ending: sighting.end })).runner)
  }
  if (seen.cleared) await store.freeSlot({ host: host.id, runner: id, now })
}

/** An end is usually reported before its container is removed: a read costs a fifth of a write that changes nothing. */
async function hasEnded(
  { store }: Pick<SightingPorts, 'store'>,
  host: Host,
  { runner }: RunnerSighting,
): Promise<boolean> {
  return (await store.getRunner(host.id, runner))?.state === 'gone'
}

/** Logs a runner that the hub has no record of: the next snapshot rebuilds it from its container. */
function logIfUnknown(
  { log }: Pick<SightingPorts, 'log'>,
  seen: RunnerSighting,
  runner: Runner | null,
): void {
  if (runner === null) log.emit({ name: 'runner.unknown', runner: seen.runner, phase: seen.sighting.phase })
}
