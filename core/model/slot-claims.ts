import { SlipwayError } from './errors.ts'
import { CLAIMS_MAX, type SlotClaim } from './fleet.ts'
import { HOST_SLOTS_MAX, type Host, type Slot } from './host.ts'
import type { Epoch, Fence, HostId } from './ids.ts'
import type { SlotSize } from './template.ts'

/** Throws `claims-invalid` unless these are 1 to `CLAIMS_MAX` claims of different runners. */
export function assertClaims(claims: readonly SlotClaim[]): void {
  const runners = new Set(claims.map(({ runner }) => runner)).size
  if (runners === claims.length && runners > 0 && runners <= CLAIMS_MAX) return
  throw new SlipwayError(
    'claims-invalid',
    `A batch must claim slots for 1 to ${CLAIMS_MAX} different runners, but this one has ${claims.length} claims ` +
      `for ${runners} runners. The caller must split it.`,
  )
}

export interface ClaimRequest {
  readonly fence: Fence
  readonly epoch: Epoch
  readonly claims: readonly SlotClaim[]
}

/** `held`: the host holds all of them already. `refused`: fence, epoch, state or room do not hold any more. */
export function decideClaim(
  host: Host,
  { fence, epoch, claims }: ClaimRequest,
): 'held' | 'refused' | 'granted' {
  if (host.fence !== fence) return 'refused'
  if (holdsAll(host, claims)) return 'held'
  const isOpen = host.epoch === epoch && host.state === 'online' && host.accepting
  const isNew = claims.every(({ runner }) => !host.slots.has(runner))
  return isOpen && isNew && hasRoom(host, claims) ? 'granted' : 'refused'
}

export function holdsAll(host: Host, claims: readonly SlotClaim[]): boolean {
  return claims.every(({ runner, slot }) => isSame(host.slots.get(runner), slot))
}

function isSame(held: Slot | undefined, asked: Slot): boolean {
  return (
    held?.template === asked.template &&
    held.cpuMillis === asked.cpuMillis &&
    held.memoryMib === asked.memoryMib
  )
}

function hasRoom({ slots, capacity }: Host, claims: readonly SlotClaim[]): boolean {
  const used = [...slots.values(), ...claims.map(({ slot }) => slot)]
  return (
    used.length <= capacity.runners &&
    sum(used, 'cpuMillis') <= capacity.cpuMillis &&
    sum(used, 'memoryMib') <= capacity.memoryMib
  )
}

function sum(sizes: readonly SlotSize[], of: keyof SlotSize): number {
  return sizes.reduce((total, size) => total + size[of], 0)
}

/** For a host that holds `HOST_SLOTS_MAX` slots or more already. */
export function tooManySlots(host: HostId, held: number): SlipwayError {
  return new SlipwayError(
    'store-item-too-large',
    `Host "${host}" already holds ${held} slots, and a host can hold at most ${HOST_SLOTS_MAX}. ` +
      'Its engine runs far more Slipway containers than allowed: check that host.',
  )
}
