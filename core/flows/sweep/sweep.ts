import {
  type AuditViolation,
  FINISHED_TOMBSTONE_MS,
  type Fleet,
  type GoneRunner,
  type Host,
  type HostLiveness,
  type RunnerId,
  TOMBSTONE_MS,
} from '../../model/index.ts'
import type {
  Clock,
  FleetReader,
  HostStore,
  LeaseStore,
  Log,
  RecordStore,
  RunnerStore,
} from '../../ports/index.ts'
import { endAgentSession } from '../agent/agent-session.ts'
import { countHosts } from '../planner/count-hosts.ts'
import { freeOrphan } from '../planner/orphaned-slots.ts'
import { REPORT_AGAIN_MS } from '../leadership/take-over.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { logUnreadable, unlessUnreadable } from '../skip-unreadable.ts'

/** Longer than most outages: a host that is offline for so long is declared dead, and its runners are ended as lost. */
export const HOST_DEAD_AFTER_MS = 30 * 60_000
/** A session stores its first heartbeat right after it begins. */
const FIRST_SIGN_MAX_MS = 30_000
/** Enough to keep up with any rate at which runners end, small enough for one short invocation. */
const REMOVALS_PER_SWEEP = 500

export interface SweepPorts {
  readonly store: Pick<FleetReader, 'readFleet'> &
    Pick<HostStore, 'getHost' | 'declareDead' | 'endSession' | 'freeSlot'> &
    Pick<RunnerStore, 'getRunner' | 'putRunner' | 'listLiveRunners' | 'endRunner' | 'forgetRunner'> &
    Pick<LeaseStore, 'readLease'> &
    Pick<RecordStore, 'removeExpired'>
  readonly clock: Clock
  readonly log: Log
}

/** Handles what no agent reports: silent hosts, dead and removed hosts, expired records. */
export async function sweep(ports: SweepPorts): Promise<void> {
  const { store, clock, log } = ports
  const fleet = await store.readFleet()
  const now = clock.now()
  const liveness = new Map(fleet.liveness.map((entry) => [entry.host, entry]))
  const failures: unknown[] = []
  const attempt = async (work: Promise<void>): Promise<void> => {
    await work.catch((thrown: unknown) => failures.push(thrown))
  }
  // A host whose liveness can't be read is not silent for that reason.
  const unknown = new Set(fleet.unreadable.filter(({ runner }) => runner === null).map(({ host }) => host))
  for (const host of fleet.hosts)
    if (!unknown.has(host.id)) await attempt(sweepHost(ports, host, liveness.get(host.id), now))
  await attempt(writeOffRemovedHosts(ports, fleet, now))
  const violations = [...audit(fleet.hosts)]
  for (const violation of violations) log.emit({ name: 'audit.violation', ...violation })
  logUnreadable(log, fleet.unreadable)
  const forgotten = await forgetFinished(ports, fleet, now)
  const limit = REMOVALS_PER_SWEEP - forgotten
  const removed = forgotten + (await store.removeExpired({ before: now - TOMBSTONE_MS, limit }))
  log.emit({
    name: 'sweep.done',
    ...countHosts(fleet.hosts),
    violations: violations.length + fleet.unreadable.length,
    removed,
    failures: failures.length,
  })
  // Only now: one host that fails must not keep the others from being swept (L14: a damaged item blocks no batch).
  if (failures.length > 0) throw failures[0]
}

async function sweepHost(
  ports: SweepPorts,
  host: Host,
  liveness: HostLiveness | undefined,
  now: number,
): Promise<void> {
  // The deadline of an older session does not apply to one that has just begun.
  const expectedBy =
    liveness?.epoch === host.epoch ? liveness.expectedBy : host.stateSince + FIRST_SIGN_MAX_MS
  if (host.connection !== null && expectedBy < now) {
    ports.log.emit({ name: 'host.silent', host: host.id, expectedBy })
    await endAgentSession(ports, { host: host.id, connection: host.connection })
  } else if (host.state === 'offline' && now - host.stateSince > HOST_DEAD_AFTER_MS) {
    await declareDead(ports, host)
  } else if (host.state === 'dead' && host.slots.size > 0) await writeOff(ports, host, now)
}

async function declareDead(ports: SweepPorts, host: Host): Promise<void> {
  const { store, clock, log } = ports
  const now = clock.now()
  if (!(await store.declareDead({ host: host.id, revision: host.revision, now }))) return
  log.emit({ name: 'host.dead', host: host.id, offlineSince: host.stateSince })
  await writeOff(ports, host, now)
}

/** Runners first, slots after: a slot is never free while its runner may still count as live. */
async function writeOff(ports: SweepPorts, host: Host, now: number): Promise<void> {
  const { store } = ports
  // E3, a host that was cut off returns: that may happen between any two of these writes.
  const isDead = async (): Promise<boolean> => (await store.getHost(host.id))?.state === 'dead'
  if (!(await isDead())) return
  const reason = `Host ${host.id} was declared dead.`
  const ending = { outcome: 'lost', code: 'host-dead', reason, exitCode: null } as const
  await forEachLimited((await store.listLiveRunners(host.id)).runners, WRITES_AT_ONCE, async ({ id }) => {
    if (await isDead()) await store.endRunner({ host: host.id, id, ending, now })
  })
  const free = async (id: RunnerId): Promise<void> => {
    const there = await freeOrphan(ports, host, id)
    if (there?.state === 'gone') await store.freeSlot({ host: host.id, runner: id, only: 'dead', now })
  }
  await forEachLimited(host.slots.keys(), WRITES_AT_ONCE, (id) => unlessUnreadable(ports.log, () => free(id)))
}

/** Runners of a host that was removed, even if it was added again since (H8: removing a host drops its runners). */
async function writeOffRemovedHosts(
  { store, log }: Pick<SweepPorts, 'store' | 'log'>,
  fleet: Fleet,
  now: number,
): Promise<void> {
  const used = fleet.hosts.filter(({ state }) => state !== 'new')
  const known = new Set([...used.map(({ id }) => id), ...fleet.unreadable.map(({ host }) => host)])
  const ofRemovedHosts = fleet.runners.filter((runner) => runner.state !== 'gone' && !known.has(runner.host))
  await forEachLimited(ofRemovedHosts, WRITES_AT_ONCE, async ({ host, id }) => {
    // The host may have been added again, or have connected, since.
    if (((await store.getHost(host))?.state ?? 'new') !== 'new') return
    const reason = `Host ${host} was removed.`
    log.emit({ name: 'runner.host-removed', runner: id, host })
    const ending = { outcome: 'lost', code: 'host-removed', reason, exitCode: null } as const
    await store.endRunner({ host, id, ending, now })
  })
}

/** Removes tombstones of finished runners early, so that a full reading doesn't grow with a day of jobs. */
async function forgetFinished(
  { store }: Pick<SweepPorts, 'store'>,
  fleet: Fleet,
  now: number,
): Promise<number> {
  const upTo = (await store.readLease())?.notes.reportedUpTo ?? {}
  // Without its record, a slot that is still held would look orphaned.
  const held = new Set(fleet.hosts.flatMap(({ slots }) => [...slots.keys()]))
  const isOld = ({ source, goneAt }: GoneRunner): boolean =>
    goneAt < Math.min(now - FINISHED_TOMBSTONE_MS, (upTo[source] ?? 0) - REPORT_AGAIN_MS)
  const old = fleet.runners.filter(
    (one) => one.state === 'gone' && one.outcome === 'finished' && !held.has(one.id) && isOld(one),
  )
  const some = old.slice(0, REMOVALS_PER_SWEEP)
  await forEachLimited(some, WRITES_AT_ONCE, ({ host, id }) => store.forgetRunner({ host, id }))
  return some.length
}

/** Checks invariant 3 from outside: no host holds more than its capacity. */
function* audit(hosts: readonly Host[]): Generator<AuditViolation> {
  for (const host of hosts) {
    let cpuMillis = 0
    let memoryMib = 0
    for (const slot of host.slots.values()) {
      cpuMillis += slot.cpuMillis
      memoryMib += slot.memoryMib
    }
    const { capacity } = host
    if (
      host.slots.size > capacity.runners ||
      cpuMillis > capacity.cpuMillis ||
      memoryMib > capacity.memoryMib
    )
      yield { invariant: 3, host: host.id, slots: host.slots.size, cpuMillis, memoryMib, capacity }
  }
}
