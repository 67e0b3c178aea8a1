import {
  CLAIMS_MAX,
  HOST_SLOTS_MAX,
  type Host,
  SlipwayError,
  type Slot,
  type SlotClaim,
  type SlotSize,
} from '../../core/model/index.ts'
import { type FleetStore } from '../../core/ports/index.ts'
import { findHost, writeHost } from './hosts.ts'
import { copy, type State } from './state.ts'

export function slotMethods(state: State): Pick<FleetStore, 'claimSlots' | 'adoptSlot' | 'freeSlot'> {
  return {
    async claimSlots({ host: id, fence, epoch, claims, now }) {
      assertClaims(claims)
      const host = findHost(state, id)
      if (host?.fence !== fence) return null
      if (claims.every(({ runner, slot }) => isSame(host.slots.get(runner), slot))) return copy(host)
      const isOpen = host.epoch === epoch && host.state === 'online' && host.accepting
      const isNew = claims.every(({ runner }) => !host.slots.has(runner))
      if (!isOpen || !isNew || !hasRoom(host, claims)) return null
      const slots = new Map([
        ...host.slots,
        ...claims.map(({ runner, slot }) => [runner, copy(slot)] as const),
      ])
      return copy(writeHost(state, host, { slots }, now))
    },

    async adoptSlot({ host: id, runner, slot, now }) {
      const host = findHost(state, id)
      if (host === undefined) return
      if (host.slots.size >= HOST_SLOTS_MAX) throw tooManySlots(host)
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

function hasRoom(host: Host, claims: readonly SlotClaim[]): boolean {
  const used = sum([...host.slots.values(), ...claims.map(({ slot }) => slot)])
  return (
    host.slots.size + claims.length <= host.capacity.runners &&
    used.cpuMillis <= host.capacity.cpuMillis &&
    used.memoryMib <= host.capacity.memoryMib
  )
}

function sum(sizes: readonly SlotSize[]): SlotSize {
  return {
    cpuMillis: sizes.reduce((total, { cpuMillis }) => total + cpuMillis, 0),
    memoryMib: sizes.reduce((total, { memoryMib }) => total + memoryMib, 0),
  }
}

function isSame(held: Slot | undefined, asked: Slot): boolean {
  return (
    held?.template === asked.template &&
    held.cpuMillis === asked.cpuMillis &&
    held.memoryMib === asked.memoryMib
  )
}

function assertClaims(claims: readonly SlotClaim[]): void {
  const runners = new Set(claims.map(({ runner }) => runner)).size
  if (runners === claims.length && runners > 0 && runners <= CLAIMS_MAX) return
  throw new SlipwayError(
    'claims-invalid',
    `A batch must claim slots for 1 to ${CLAIMS_MAX} different runners, but this one has ${claims.length} claims ` +
      `for ${runners} runners. The caller must split it.`,
  )
}

function tooManySlots(host: Host): SlipwayError {
  return new SlipwayError(
    'store-item-too-large',
    `Host "${host.id}" already holds ${host.slots.size} slots, and a host can hold at most ${HOST_SLOTS_MAX}. ` +
      'Its engine runs far more Slipway containers than allowed: check that host.',
  )
}
