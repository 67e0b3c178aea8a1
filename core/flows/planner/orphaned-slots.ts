import {
  type GoneRunner,
  type Host,
  type Runner,
  type RunnerId,
  type Slot,
  sourceId,
} from '../../model/index.ts'
import type { Clock, HostStore, Log, RunnerStore } from '../../ports/index.ts'
import type { FleetCache } from './fleet-cache.ts'

/** Ends of runners that no agent ever received: no agent will free their slots. */
const UNLAUNCHED_CODES: ReadonlySet<GoneRunner['code']> = new Set([
  'reservation-expired',
  'mint-refused',
  'mint-unknown',
  'never-arrived',
  'launch-too-large',
  'hub-restarted',
  'orphaned-slot',
])

/** A slot does not name its source. */
const UNKNOWN_SOURCE = sourceId('unknown')

/** The slots of a host that no agent will free. A runner that can't be read may be live: unknown is not absent. */
export function orphansOf(
  fleet: Pick<FleetCache, 'runner' | 'isUnreadable'>,
  host: Host,
): readonly RunnerId[] {
  return [...host.slots.keys()].filter((id) => !fleet.isUnreadable(id) && isOrphan(fleet.runner(id)))
}

/** True of a slot's runner when no agent will ever free that slot; undefined = there is no such runner. */
function isOrphan(runner: Runner | undefined): boolean {
  return runner === undefined || (runner.state === 'gone' && UNLAUNCHED_CODES.has(runner.code))
}

export interface FreeOrphanParts {
  readonly store: Pick<RunnerStore, 'getRunner' | 'putRunner'> & Pick<HostStore, 'freeSlot'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Frees a slot that no agent will free. A tombstone is written first, so that a writer that was paused since its claim
 * can't create the runner. Resolves with the runner if it exists after all.
 */
export async function freeOrphan(
  { store, clock, log }: FreeOrphanParts,
  host: Host,
  id: RunnerId,
): Promise<Runner | null> {
  const slot = host.slots.get(id)
  if (slot === undefined) return null
  const now = clock.now()
  const known =
    (await store.getRunner(host.id, id)) ?? (await store.putRunner(tombstoneOf(host, id, slot, now), now))
  if (known !== null && !isOrphan(known)) return known
  log.emit({ name: 'slot.orphan-freed', host: host.id, runner: id })
  await store.freeSlot({ host: host.id, runner: id, now })
  return null
}

function tombstoneOf(host: Host, id: RunnerId, slot: Slot, now: number): GoneRunner {
  return {
    state: 'gone',
    id,
    ...slot,
    host: host.id,
    source: UNKNOWN_SOURCE,
    labels: [],
    reservation: null,
    reservedAt: now,
    stop: null,
    outcome: 'failed',
    code: 'orphaned-slot',
    reason: 'Its slot was claimed, but the hub stopped before it stored the runner.',
    exitCode: null,
    startedAt: null,
    goneAt: now,
  }
}
