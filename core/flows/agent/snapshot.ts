import {
  type AgentMessage,
  type Ending,
  type Host,
  type LiveRunner,
  type Runner,
  type RunnerId,
  reservationId,
  type SnapshotEntry,
} from '../../model/index.ts'
import type { HostStore, RunnerStore } from '../../ports/index.ts'
import { applySighting, type SightingPorts } from './sightings.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { unlessUnreadable, logUnreadable } from '../skip-unreadable.ts'

type Snapshot = Extract<AgentMessage, { type: 'snapshot' }>

type SnapshotPorts = SightingPorts & {
  readonly store: Pick<HostStore, 'getHost' | 'adoptSlot'> &
    Pick<RunnerStore, 'listLiveRunners' | 'putRunner' | 'confirmRunner'>
}

/**
 * Rebuilds a host's records from the containers that exist. True when this was the last part: then every runner of the
 * host is either in the snapshot, still the control loop's, or ended. Only a syncing host sends a snapshot: a part that
 * arrives twice or late says nothing about what was launched since (W7, W8: messages repeat and change their order).
 */
export async function takeSnapshot(
  ports: SnapshotPorts,
  host: Host,
  { entries, complete }: Snapshot,
): Promise<boolean> {
  if (host.state !== 'syncing') return false
  await forEachLimited(entries, WRITES_AT_ONCE, (entry) => takeEntry(ports, host, entry))
  if (complete === null) return false
  const present = new Set(complete)
  const { runners: live, unreadable } = await ports.store.listLiveRunners(host.id)
  logUnreadable(ports.log, unreadable)
  // Nothing is claimed on a syncing host: if it is still syncing, the list is older than the snapshot.
  const after = await ports.store.getHost(host.id)
  if (after?.epoch !== host.epoch || after.state !== 'syncing') return false
  await forEachLimited(live, WRITES_AT_ONCE, (runner) => reconcileRunner(ports, host, runner, present))
  await freeAbsent(ports, host, live, present)
  return true
}

async function takeEntry(ports: SnapshotPorts, host: Host, entry: SnapshotEntry): Promise<void> {
  await unlessUnreadable(ports.log, async () => {
    const known = await ports.store.getRunner(host.id, entry.runner)
    if (known === null && entry.sighting.phase !== 'refused') await rebuild(ports, host, entry)
    await applySighting(ports, host, entry)
  })
  if (!entry.cleared && entry.sighting.phase !== 'refused') await holdSlot(ports, host, entry)
}

/** The record is lost and the container exists: its labels say what it was started for. */
async function rebuild(
  { store, clock, log }: SnapshotPorts,
  host: Host,
  { runner: id, origin }: SnapshotEntry,
): Promise<void> {
  const now = clock.now()
  const { template, source, labels, cpuMillis, memoryMib } = origin
  const reservation =
    origin.reservation === null ? null : { id: reservationId(origin.reservation), expiresAt: now }
  const facts = {
    id,
    template,
    host: host.id,
    source,
    labels,
    cpuMillis,
    memoryMib,
    reservation,
    reservedAt: now,
    stop: null,
  }
  log.emit({ name: 'runner.rebuilt', runner: id, host: host.id, template })
  await store.putRunner({ ...facts, state: 'dispatched', epoch: host.epoch, dispatchedAt: now }, now)
}

/** A container uses its share whatever the records say, even if its runner was ended meanwhile. */
async function holdSlot(
  { store, clock }: SnapshotPorts,
  host: Host,
  { runner, origin }: SnapshotEntry,
): Promise<void> {
  if (host.slots.has(runner)) return
  const { template, cpuMillis, memoryMib } = origin
  await store.adoptSlot({ host: host.id, runner, slot: { template, cpuMillis, memoryMib }, now: clock.now() })
}

/**
 * A dispatched runner that this session knows now belongs to this session. One that it doesn't know never arrived,
 * because the agent took its snapshot after it had left every older connection. Reserved runners still belong to the
 * control loop, and those dispatched under this session may have arrived after the snapshot was taken.
 */
async function reconcileRunner(
  ports: SnapshotPorts,
  host: Host,
  runner: LiveRunner,
  present: ReadonlySet<RunnerId>,
): Promise<void> {
  const { store, clock, log } = ports
  const key = { host: host.id, id: runner.id, now: clock.now() }
  if (runner.state === 'reserved') return
  if (runner.state === 'dispatched' && runner.epoch >= host.epoch) return
  if (present.has(runner.id)) {
    if (runner.state === 'dispatched') await store.confirmRunner({ ...key, epoch: host.epoch })
    return
  }
  const ending = endingOfAbsent(runner, host)
  log.emit({ name: 'runner.absent', runner: runner.id, host: host.id, code: ending.code })
  await store.endRunner({ ...key, ending, only: [runner.state] })
}

function endingOfAbsent(runner: LiveRunner, host: Host): Ending {
  return runner.state === 'running'
    ? {
        outcome: 'lost',
        code: 'container-vanished',
        reason: `Host ${host.id} reconnected without this runner's container.`,
        exitCode: null,
      }
    : {
        outcome: 'failed',
        code: 'never-arrived',
        reason: `Host ${host.id} reconnected and had not received the launch.`,
        exitCode: null,
      }
}

/**
 * Frees slots whose container is gone. A slot without a record may belong to a claim in flight: the control loop checks
 * it.
 */
async function freeAbsent(
  { store, clock, log }: SnapshotPorts,
  host: Host,
  live: readonly LiveRunner[],
  present: ReadonlySet<RunnerId>,
): Promise<void> {
  const reserved = new Set(live.filter((runner) => runner.state === 'reserved').map((runner) => runner.id))
  const absent = [...host.slots.keys()].filter((id) => !present.has(id) && !reserved.has(id))
  const free = async (id: RunnerId): Promise<void> => {
    const runner: Runner | null = await store.getRunner(host.id, id)
    if (runner?.state === 'gone') await store.freeSlot({ host: host.id, runner: id, now: clock.now() })
  }
  await forEachLimited(absent, WRITES_AT_ONCE, (id) => unlessUnreadable(log, () => free(id)))
}
