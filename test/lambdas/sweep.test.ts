import { describe, expect, it } from 'vitest'
import { createLog, lineOf, type LogLine } from '../../adapters/log/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { HOST_DEAD_AFTER_MS } from '../../core/flows/index.ts'
import { connectionId, hostId } from '../../core/model/index.ts'
import { Meter } from '../../adapters/cloudwatch/meter.ts'
import { sweepHandler } from '../../lambdas/sweep/handler.ts'

const HOST = hostId('build-1')
const CONNECTION = connectionId('c1')
const MINUTE_MS = 60_000
const FACTS = {
  install: 'i',
  capacity: { runners: 4, cpuMillis: 4_000, memoryMib: 4_096 },
  accepting: true,
  notAcceptingReason: null,
}

/** A hub with one host, which was connected and went away at time 0. */
async function hubWithoutItsHost() {
  const store = createMemoryStore()
  let now = 0
  const clock = { now: () => now, monotonicMs: () => now, sleep: async () => {} }
  await store.addHost({ id: HOST, tags: [], tokenHash: 'x', now })
  await store.beginSession({ host: HOST, connection: CONNECTION, facts: FACTS, now })
  await store.endSession({ host: HOST, connection: CONNECTION, now })
  const meter = new Meter('hub')
  let last: LogLine | undefined
  const log = createLog((entry) => (last = lineOf(entry, meter.take(entry))))
  const sweep = sweepHandler({ store, clock, log })
  /** What the sweep measures at that time. */
  const offlineAt = async (atMs: number): Promise<unknown> => {
    now = atMs
    await sweep()
    expect(last?.event).toBe('sweep.done')
    return last?.fields['HostsOffline']
  }
  return { store, offlineAt, now: () => now }
}

describe('the sweep', () => {
  it('counts a host as offline for as long as it is away, dead or not, and no longer once it is back', async () => {
    const { store, offlineAt, now } = await hubWithoutItsHost()
    expect(await offlineAt(MINUTE_MS)).toBe(1)
    expect(await offlineAt(HOST_DEAD_AFTER_MS + 1)).toBe(1)
    expect((await store.getHost(HOST))?.state).toBe('dead')
    expect(await offlineAt(HOST_DEAD_AFTER_MS + MINUTE_MS)).toBe(1)
    expect(await offlineAt(50 * HOST_DEAD_AFTER_MS)).toBe(1)
    await store.beginSession({ host: HOST, connection: connectionId('c2'), facts: FACTS, now: now() })
    expect(await offlineAt(50 * HOST_DEAD_AFTER_MS + 1)).toBeUndefined()
  })

  it('forgets a dead host that is removed', async () => {
    const { store, offlineAt } = await hubWithoutItsHost()
    await offlineAt(HOST_DEAD_AFTER_MS + 1)
    expect(await offlineAt(HOST_DEAD_AFTER_MS + 2)).toBe(1)
    await store.removeHost(HOST)
    expect(await offlineAt(HOST_DEAD_AFTER_MS + 3)).toBeUndefined()
  })
})
