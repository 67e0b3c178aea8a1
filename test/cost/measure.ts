import { FINISHED_TOMBSTONE_MS } from '../../core/model/index.ts'
import { add, NOTHING, scale, subtract, type Usage } from './bill.ts'
import type { Measured } from './estimate.ts'
import { HubInVirtualTime, type Mode, type Sizes } from './hub-in-virtual-time.ts'

const MINUTE_MS = 60_000
/** Longer than `auto` looks back for work. */
const WARM_UP_MS = 20 * MINUTE_MS
/** Whole heartbeats, and whole runs of the loop. */
const WINDOW_MS = 28 * MINUTE_MS
/** How often an agent begins a new session, on average. */
const SESSION_MS = 95 * MINUTE_MS
const MONTH_MS = 730 * 60 * MINUTE_MS

/** Jobs come in bursts, one a minute. */
const BURST = 20
const BURSTS = 10
const JOB_MS = 40_000
/** Reports and idle reads die away in this time. */
const COOL_DOWN_MS = 2 * MINUTE_MS

export async function measure(
  options: { hosts: number; sizes: Sizes },
  onProgress: (what: string) => void,
): Promise<Measured> {
  const idle = (mode: Mode) => {
    onProgress(`an idle hub, ${mode}`)
    return measureIdle({ ...options, mode })
  }
  const auto = await idle('auto')
  const continuous = await idle('continuous')
  const economy = await idle('economy')
  onProgress('jobs')
  return { idle: { auto, continuous, economy }, perThousandJobs: await measureJobs(options) }
}

/** A month with nothing to do. */
async function measureIdle(options: {
  hosts: number
  mode: Mode
  sizes: Sizes
}): Promise<{ usage: Usage; metrics: number }> {
  const hub = await HubInVirtualTime.open({ ...options, runnersPerHost: 10 })
  try {
    await hub.run(WARM_UP_MS)
    hub.metricsSent.clear()
    const window = await during(hub, () => hub.run(WINDOW_MS))
    const metrics = hub.metricsSent.size
    const renewed = await during(hub, async () => {
      const renewal = hub.reconnectAll()
      await hub.run(2 * MINUTE_MS)
      await renewal
    })
    const renewals = subtract(renewed, scale(window, (2 * MINUTE_MS) / WINDOW_MS))
    const stored = (await hub.tableBytes()) / 1e9
    const month = add(scale(window, MONTH_MS / WINDOW_MS), scale(renewals, MONTH_MS / SESSION_MS))
    const connectionMinutes = options.hosts * (MONTH_MS / MINUTE_MS)
    return {
      usage: add(month, { ...NOTHING, connectionMinutes, tableGbMonths: stored, logGbMonths: month.logGb }),
      metrics,
    }
  } finally {
    await hub.close()
  }
}

/** What a thousand jobs add to a loop that runs without pause, until nothing is left of them; and its metrics. */
async function measureJobs(options: {
  hosts: number
  sizes: Sizes
}): Promise<{ usage: Usage; metrics: number }> {
  const jobs = BURST * BURSTS
  const hub = await HubInVirtualTime.open({
    ...options,
    mode: 'continuous',
    runnersPerHost: Math.max(10, Math.ceil((2 * BURST) / options.hosts)),
  })
  try {
    await hub.run(WARM_UP_MS)
    const idle = await during(hub, () => hub.run(WINDOW_MS))
    hub.metricsSent.clear()
    const beganMs = hub.msNow
    const busy = await during(hub, async () => {
      for (let burst = 0; burst < BURSTS; burst += 1) {
        hub.source.enqueue(BURST, ['small'], JOB_MS)
        await hub.run(MINUTE_MS)
      }
      await hub.run(COOL_DOWN_MS)
      if (hub.source.openJobs > 0)
        throw new Error(`${hub.source.openJobs} of ${jobs} jobs did not end while they were metered.`)
    })
    const metrics = hub.metricsSent.size
    const extra = subtract(busy, scale(idle, (hub.msNow - beganMs) / WINDOW_MS))
    // Each ended job is carried by every reading of the fleet for as long as its tombstone stays.
    const kept = subtract(await during(hub, () => hub.run(WINDOW_MS)), idle)
    const removed = await during(hub, async () => {
      const removal = hub.removeEnded()
      await hub.run(MINUTE_MS)
      await removal
    })
    const removal = subtract(removed, scale(idle, MINUTE_MS / WINDOW_MS))
    const whole = add(extra, scale(kept, FINISHED_TOMBSTONE_MS / WINDOW_MS), removal)
    const perThousand = scale(whole, 1_000 / jobs)
    return { usage: { ...perThousand, logGbMonths: perThousand.logGb }, metrics }
  } finally {
    await hub.close()
  }
}

async function during(hub: HubInVirtualTime, work: () => Promise<void>): Promise<Usage> {
  const before = hub.usage
  await work()
  return subtract(hub.usage, before)
}
