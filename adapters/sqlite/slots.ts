import {
  assertClaims,
  decideClaim,
  type EpochMs,
  type Host,
  type SlotClaim,
  HOST_SLOTS_MAX,
  tooManySlots,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { HOST_CHANGED, HostReader } from './host-rows.ts'

export function slotMethods(
  connection: GroupCommit,
): Pick<FleetStore, 'claimSlots' | 'adoptSlot' | 'freeSlot'> {
  const hosts = new HostReader(connection)
  const insert = connection.prepare(
    `INSERT INTO slots (host, runner, template, cpu_millis, memory_mib)
     VALUES (:host, :runner, :template, :cpuMillis, :memoryMib)`,
  )
  const count = connection.prepare('SELECT count(*) AS slots FROM slots WHERE host = ?')
  const adopt = connection.prepare(
    `INSERT INTO slots (host, runner, template, cpu_millis, memory_mib)
     SELECT id, :runner, :template, :cpuMillis, :memoryMib FROM hosts WHERE id = :host
     ON CONFLICT (host, runner) DO NOTHING`,
  )
  const free = connection.prepare(
    `DELETE FROM slots WHERE host = :host AND runner = :runner
       AND (:only IS NULL OR :only = (SELECT state FROM hosts WHERE id = :host))`,
  )
  const touch = connection.prepare(`UPDATE hosts SET ${HOST_CHANGED} WHERE id = :host`)

  const hold = (host: Host, claims: readonly SlotClaim[], now: EpochMs): Host => {
    const slots = new Map(host.slots)
    for (const { runner, slot } of claims) {
      const { template, cpuMillis, memoryMib } = slot
      insert.run({ host: host.id, runner, template, cpuMillis, memoryMib })
      slots.set(runner, { template, cpuMillis, memoryMib })
    }
    touch.run({ host: host.id, now })
    return { ...host, slots, revision: host.revision + 1 }
  }

  return {
    claimSlots: ({ host: id, now, ...request }) =>
      connection.write(() => {
        assertClaims(request.claims)
        const host = hosts.read(id)
        const decision = host === null ? 'refused' : decideClaim(host, request)
        if (host === null || decision === 'refused') return null
        return decision === 'held' ? host : hold(host, request.claims, now)
      }),

    adoptSlot: ({ host, runner, slot, now }) =>
      connection.write(() => {
        if (Number(count.get(host)?.['slots']) >= HOST_SLOTS_MAX) throw tooManySlots(host, HOST_SLOTS_MAX)
        const { template, cpuMillis, memoryMib } = slot
        const adopted = adopt.run({ host, runner, template, cpuMillis, memoryMib })
        if (adopted.changes === 1) touch.run({ host, now })
      }),

    freeSlot: ({ host, runner, only = null, now }) =>
      connection.write(() => {
        if (free.run({ host, runner, only }).changes === 1) touch.run({ host, now })
      }),
  }
}
