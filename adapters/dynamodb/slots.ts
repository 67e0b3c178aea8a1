import {
  assertClaims,
  holdsAll,
  type HostId,
  type Slot,
  type SlotClaim,
  HOST_SLOTS_MAX,
  tooManySlots,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { changedHost, changeHost, type HostChange, readHost } from './update-host.ts'
import type { TableClient } from './table-client.ts'

type SlotMethods = Pick<FleetStore, 'claimSlots' | 'adoptSlot' | 'freeSlot'>

/*
 * A host item holds its slots as a map by runner, and two sums: `used` (of all slots) and `free` (capacity minus used).
 * With them one conditional write can claim or free without reading: a condition can compare, but not add.
 */

export function slotMethods(table: TableClient): SlotMethods {
  return {
    async claimSlots(request) {
      const { host, fence, claims } = request
      assertClaims(claims)
      const claimed = await changedHost(table, request, claiming(request))
      if (claimed !== null) return claimed
      const found = await readHost(table, host)
      return found !== null && found.fence === fence && holdsAll(found, claims) ? found : null
    },

    async adoptSlot(request) {
      const { host, runner, slot } = request
      const adopted = await changeHost(table, request, {
        set: `${MOVE_FROM_FREE_TO_USED}, #slots.#runner = :slot`,
        condition: 'attribute_not_exists(#slots.#runner) AND #used.#runners < :max',
        values: { ...sumOf([request]), ':slot': slotItem(slot), ':max': HOST_SLOTS_MAX },
        names: { '#runner': runner },
      })
      if (!adopted) await assertRoomToAdopt(table, host)
    },

    async freeSlot(request) {
      const { runner, only } = request
      await changeHost(table, request, {
        set:
          '#used.#runners = #used.#runners - :one, #free.#runners = #free.#runners + :one, ' +
          '#used.#cpuMillis = #used.#cpuMillis - #slots.#runner.#cpuMillis, ' +
          '#free.#cpuMillis = #free.#cpuMillis + #slots.#runner.#cpuMillis, ' +
          '#used.#memoryMib = #used.#memoryMib - #slots.#runner.#memoryMib, ' +
          '#free.#memoryMib = #free.#memoryMib + #slots.#runner.#memoryMib',
        remove: '#slots.#runner',
        condition: `attribute_exists(#slots.#runner)${only === undefined ? '' : ' AND #state = :only'}`,
        ...(only && { values: { ':only': only } }),
        names: { '#runner': runner },
      })
    },
  }
}

/** Names are short because DynamoDB limits an expression to 4 KB. */
export function claiming({ fence, epoch, claims }: Parameters<FleetStore['claimSlots']>[0]): HostChange {
  return {
    set: `${MOVE_FROM_FREE_TO_USED}, ${claims.map((_, at) => `#s.#r${at} = :s${at}`).join(', ')}`,
    condition: [
      '#fence = :fence AND #epoch = :epoch AND #state = :online AND #accepting = :true',
      '#free.#runners >= :runners AND #free.#cpuMillis >= :cpuMillis AND #free.#memoryMib >= :memoryMib',
      ...claims.map((_, at) => `attribute_not_exists(#s.#r${at})`),
    ].join(' AND '),
    values: {
      ...Object.fromEntries(claims.map(({ slot }, at) => [`:s${at}`, slotItem(slot)])),
      ...sumOf(claims),
      ':fence': fence,
      ':epoch': epoch,
      ':online': 'online',
      ':true': true,
    },
    names: { '#s': 'slots', ...Object.fromEntries(claims.map(({ runner }, at) => [`#r${at}`, runner])) },
  }
}

const MOVE_FROM_FREE_TO_USED =
  '#used.#runners = #used.#runners + :runners, #free.#runners = #free.#runners - :runners, ' +
  '#used.#cpuMillis = #used.#cpuMillis + :cpuMillis, #free.#cpuMillis = #free.#cpuMillis - :cpuMillis, ' +
  '#used.#memoryMib = #used.#memoryMib + :memoryMib, #free.#memoryMib = #free.#memoryMib - :memoryMib'

function sumOf(claims: readonly SlotClaim[]): Readonly<Record<string, number>> {
  return {
    ':runners': claims.length,
    ':cpuMillis': claims.reduce((sum, { slot }) => sum + slot.cpuMillis, 0),
    ':memoryMib': claims.reduce((sum, { slot }) => sum + slot.memoryMib, 0),
  }
}

function slotItem({ template, cpuMillis, memoryMib }: Slot) {
  return { template, cpuMillis, memoryMib }
}

async function assertRoomToAdopt(table: TableClient, host: HostId): Promise<void> {
  const found = await readHost(table, host)
  // The slot exists already or the host does not exist: there is nothing to record.
  if (found === null || found.slots.size < HOST_SLOTS_MAX) return
  throw tooManySlots(host, found.slots.size)
}
