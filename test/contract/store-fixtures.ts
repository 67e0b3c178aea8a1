import {
  type Epoch,
  type Fence,
  type GoneRunner,
  type HelloFacts,
  type Host,
  type HostId,
  type ReservedRunner,
  type RunnerId,
  type Slot,
  type SlotClaim,
  type StopOrder,
  epoch,
  fence,
  hostId,
  reservationId,
  runnerId,
  sourceId,
  templateKey,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'

/** What every suite of the store runs on: a store that is empty and its own. */
export interface OpenStore {
  readonly store: FleetStore
  close(): Promise<void>
}
export type Open = () => Promise<OpenStore>

/** A moment; tests count from it. */
export const T0 = 1_800_000_000_000
export const SECOND = 1_000

export const H1 = hostId('h1')
export const H2 = hostId('h2')
export const LINUX = templateKey('linux')
export const SLOT: Slot = { template: LINUX, cpuMillis: 1_000, memoryMib: 1_024 }

export function rid(n: number): RunnerId {
  return runnerId(`00000000-0000-7000-8000-${String(n).padStart(12, '0')}`)
}

export function claimsOf(...numbers: number[]): SlotClaim[] {
  return numbers.map((n) => ({ runner: rid(n), slot: SLOT }))
}

export function facts(over: Partial<HelloFacts> = {}): HelloFacts {
  return {
    install: 'install-1',
    capacity: { runners: 4, cpuMillis: 4_000, memoryMib: 4_096 },
    accepting: true,
    notAcceptingReason: null,
    ...over,
  }
}

export function reserved(n: number, over: Partial<ReservedRunner> = {}): ReservedRunner {
  return {
    state: 'reserved',
    id: rid(n),
    host: H1,
    ...SLOT,
    source: sourceId('shipfox'),
    labels: ['linux', 'x64'],
    reservation: { id: reservationId('res-1'), expiresAt: T0 + 60 * SECOND },
    reservedAt: T0,
    stop: null,
    ...over,
  }
}

export const EXITED = { outcome: 'finished', code: 'exited', reason: 'exit 0', exitCode: 0 } as const
export const NEVER = {
  outcome: 'failed',
  code: 'never-arrived',
  reason: 'the host was gone',
  exitCode: null,
} as const

export function tombstone(n: number, over: Partial<GoneRunner> = {}): GoneRunner {
  const { state: _, ...rest } = reserved(n)
  return { ...rest, state: 'gone', ...NEVER, startedAt: null, goneAt: T0, ...over }
}

export async function addHost(store: FleetStore, id: HostId = H1): Promise<void> {
  await store.addHost({ id, tags: ['big'], tokenHash: `hash-of-${id}`, now: T0 })
}

/** A host that may be claimed under `under`, as `claim` needs it. */
export async function onlineHost(
  store: FleetStore,
  options: { id?: HostId; under?: number; facts?: Partial<HelloFacts> } = {},
): Promise<Host> {
  const id = options.id ?? H1
  await addHost(store, id)
  await store.raiseFence(id, fence(options.under ?? FENCE_1))
  const connection = `connection-${id}` as Host['connection'] & string
  const begun = await store.beginSession({ host: id, connection, facts: facts(options.facts), now: T0 })
  if (begun === null) throw new Error(`${id} is not there`)
  await store.openHost({ host: id, epoch: begun.epoch, now: T0 })
  const host = await store.getHost(id)
  if (host === null) throw new Error(`${id} is not there`)
  return host
}

export function claim(
  store: FleetStore,
  host: Host,
  claims: readonly SlotClaim[],
  over: { fence?: Fence; epoch?: Epoch; now?: number } = {},
): Promise<Host | null> {
  return store.claimSlots({ host: host.id, fence: host.fence, epoch: host.epoch, claims, now: T0, ...over })
}

export function nextEpoch(host: Host, by = 1): Epoch {
  return epoch(host.epoch + by)
}

export const CANCEL: StopOrder = { reason: 'canceled', requestedAt: T0 }
/** Those of the first and the second term of a table's lease. */
export const FENCE_1 = fence(T0 / 1000 + 1)
export const FENCE_2 = fence(T0 / 1000 + 2)
