import { type Host, TOMBSTONE_MS } from '../model/index.ts'
import { endAgentSession, type SessionPorts } from './agent-session.ts'
import { freeOrphan } from './orphans.ts'
import { forEachLimited, WRITES_AT_ONCE } from './tasks.ts'

/** A host offline for longer than most outages is gone for good; its runners are written off. */
export const HOST_DEAD_AFTER_MS = 30 * 60_000
/** Enough to keep up with any rate at which runners end, small enough for one short invocation. */
const REMOVALS_PER_SWEEP = 500

export type SweepPorts = SessionPorts

/** Finds what nobody reports: hosts that fell silent, hosts that are gone, records past their time. */
export async function sweep(ports: SweepPorts): Promise<void> {
  const { store, clock, log } = ports
  const fleet = await store.readFleet()
  const now = clock.now()
  const liveness = new Map(fleet.liveness.map((entry) => [entry.host, entry]))
  for (const host of fleet.hosts) {
    const expectedBy = liveness.get(host.id)?.expectedBy ?? 0
    if (host.connection !== null && expectedBy < now) {
      log.warn('host.silent', { host: host.id, expectedBy })
      await endAgentSession(ports, { host: host.id, connection: host.connection })
    } else if (host.state === 'offline' && now - host.stateSince > HOST_DEAD_AFTER_MS) {
      await bury(ports, host)
    } else if (host.state === 'dead' && host.slots.size > 0) await writeOff(ports, host, now)
  }
  for (const violation of audit(fleet.hosts)) log.error('audit.violation', violation)
  const removed = await store.removeExpired({ before: now - TOMBSTONE_MS, limit: REMOVALS_PER_SWEEP })
  if (removed > 0) log.info('sweep.expired', { removed })
}

async function bury(ports: SweepPorts, host: Host): Promise<void> {
  const { store, clock, log } = ports
  const now = clock.now()
  if (!(await store.declareDead({ host: host.id, revision: host.revision, now }))) return
  log.error('host.dead', { host: host.id, offlineSince: host.stateSince })
  await writeOff(ports, host, now)
}

/** Runners first, slots after: a slot is never free while its runner may still be thought alive. */
async function writeOff(ports: SweepPorts, host: Host, now: number): Promise<void> {
  const { store } = ports
  const reason = `Host ${host.id} was declared dead.`
  const ending = { outcome: 'lost', code: 'host-dead', reason, exitCode: null } as const
  await forEachLimited(await store.listLiveRunners(host.id), WRITES_AT_ONCE, async ({ id }) => {
    await store.endRunner({ host: host.id, id, ending, now })
  })
  await forEachLimited(host.slots.keys(), WRITES_AT_ONCE, async (id) => {
    const there = await freeOrphan(ports, host, id)
    if (there?.state === 'gone') await store.freeSlot({ host: host.id, runner: id, now })
  })
}

/** Invariant 3, looked at from outside: no host holds more than it has. */
function* audit(hosts: readonly Host[]): Generator<Readonly<Record<string, unknown>>> {
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
