// A renewal of the lease that reaches the store after a later one.
import { expect, it } from 'vitest'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { LeaseKeeper } from '../../core/flows/leadership/lease-keeper.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { EventRecorder } from '../support/event-recorder.ts'
import { SimClock } from '../sim/world/sim-clock.ts'

const NOTES = { mintWindows: {}, reportedUpTo: {}, lastWorkAt: 0, workLeft: false }
const TTL_MS = 20_000

it.fails('a renewal that lands late takes back nothing that a later one gave', async () => {
  const store = createMemoryStore()
  const taken = await take(store, 'a', 1_000)
  const renewal = { holder: 'a', fence: taken!.fence, ttlMs: TTL_MS, notes: NOTES }
  const later = await store.renewLease({ ...renewal, now: 13_000 })
  await store.renewLease({ ...renewal, now: 9_000 })
  const stored = await store.readLease()
  expect(stored!.expiresAt).toBeGreaterThanOrEqual(later!.expiresAt)
})

it.fails('a holder whose first renewal lands late holds no lease that another one has taken', async () => {
  const clock = new SimClock()
  const store = createMemoryStore()
  let renewals = 0
  const renewLease: FleetStore['renewLease'] = async (request) => {
    renewals += 1
    if (renewals === 1) await clock.sleep(7_000)
    if (renewals < 3) return store.renewLease(request)
    await clock.sleep(3_000)
    throw new Error('There is no answer.')
  }
  const ports = { store: { ...store, renewLease }, clock, log: new EventRecorder() }
  const taken = await take(store, 'a', clock.now())
  const keeper = new LeaseKeeper(ports, taken!, clock.monotonicMs(), () => NOTES)
  const stop = new AbortController()
  void keeper.keep(stop.signal)
  let isTaken = false
  const standBy = async (): Promise<void> => {
    while (!isTaken) {
      await clock.sleep(250)
      isTaken = (await take(store, 'b', clock.now())) !== null
    }
  }
  void standBy()
  await clock.runUntil(() => isTaken, 60_000)
  const msForCalls = keeper.msForCalls()
  stop.abort()
  expect(msForCalls).toBe(0)
})

function take(store: FleetStore, holder: string, now: number): ReturnType<FleetStore['takeLease']> {
  return store.takeLease({ holder, build: '1', now, ttlMs: TTL_MS, handOverAt: null })
}
