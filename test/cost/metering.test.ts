import { expect, it } from 'vitest'
import { subtract } from './bill.ts'
import { HubInVirtualTime } from './hub-in-virtual-time.ts'

const SIZES = { memoryMb: 256, loopTimeoutMs: 900_000 }
const MINUTE_MS = 60_000

it('meters a hub in virtual time: ticks and heartbeats as often as they come, and jobs to their end', async () => {
  const hub = await HubInVirtualTime.open({ hosts: 2, runnersPerHost: 10, mode: 'continuous', sizes: SIZES })
  try {
    await hub.run(4 * MINUTE_MS)
    const before = hub.usage
    await hub.run(8 * MINUTE_MS)
    const idle = subtract(hub.usage, before)
    expect(idle.schedulerInvocations).toBe(2 * 8)
    // Two hosts, a heartbeat every four minutes each, and its ack.
    expect(idle.socketMessages).toBe(2 * 2 * 2)
    // The loop works all the time, with a quarter of a gigabyte, and the rest takes little.
    expect(idle.lambdaGbSeconds).toBeGreaterThan((8 * 60) / 4)
    expect(idle.lambdaGbSeconds).toBeLessThan(((8 * 60) / 4) * 1.2)
    hub.source.enqueue(6, ['small'], 5_000)
    await hub.run(MINUTE_MS)
    expect(hub.source.openJobs).toBe(0)
    const busy = subtract(subtract(hub.usage, before), idle)
    // Four writes from a reservation to a running job and two at its end, each with its line in the index.
    expect(busy.writeUnits).toBeGreaterThan(6 * 6)
    expect(busy.logGb).toBeGreaterThan(0)
  } finally {
    await hub.close()
  }
})
