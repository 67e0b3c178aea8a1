import { assertClaims, decideClaim, HOST_SLOTS_MAX, tooManySlots } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { findHost, writeHost } from './hosts.ts'
import { copy, type State } from './state.ts'

export function slotMethods(state: State): Pick<FleetStore, 'claimSlots' | 'adoptSlot' | 'freeSlot'> {
  return {
    async claimSlots({ host: id, now, ...request }) {
      assertClaims(request.claims)
      const host = findHost(state, id)
      const decision = host === undefined ? 'refused' : decideClaim(host, request)
      if (host === undefined || decision === 'refused') return null
      if (decision === 'held') return copy(host)
      const claimed = request.claims.map(({ runner, slot }) => [runner, copy(slot)] as const)
      return copy(writeHost(state, host, { slots: new Map([...host.slots, ...claimed]) }, now))
    },

    async adoptSlot({ host: id, runner, slot, now }) {
      const host = findHost(state, id)
      if (host === undefined) return
      if (host.slots.size >= HOST_SLOTS_MAX) throw tooManySlots(id, host.slots.size)
      if (host.slots.has(runner)) return
      writeHost(state, host, { slots: new Map(host.slots).set(runner, copy(slot)) }, now)
    },

    async freeSlot({ host: id, runner, only, now }) {
      const host = findHost(state, id)
      if (host?.slots.has(runner) !== true || (only ?? host.state) !== host.state) return
      const slots = new Map(host.slots)
      slots.delete(runner)
      writeHost(state, host, { slots }, now)
    },
  }
}
