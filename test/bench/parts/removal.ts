import type { Bench } from '../bench.ts'
import { type Burst, endBurst, ending, startBurst } from '../burst.ts'
import { openGate } from '../image.ts'
import type { Fleet } from '../fleet.ts'
import { runRemovalFloor } from '../floor.ts'
import { judge, type RemovalResult } from '../results.ts'
import { spreadOf } from '../statistics.ts'
import { pause } from '../../support/eventually.ts'
import { openWarm } from './bursts.ts'

const BUDGET_MS = 1_000
/** The last container of a burst needs a moment until its gate listens. */
const GATE_READY_MS = 1_000

/** From a container's exit to its removal, in bursts whose jobs end one by one, and all together. */
export async function measureRemoval(bench: Bench, jobs: number): Promise<RemovalResult> {
  const fleet = await openWarm(bench, 'v2')
  const floorMs = spreadOf(await runRemovalFloor(fleet, jobs))
  bench.say(`removal  floor, ${jobs} at once: p50 ${floorMs.p50} ms, p95 ${floorMs.p95} ms`)
  const paced = await startBurst(fleet, jobs)
  const [ended] = await Promise.all([ending(fleet, paced), endInPace(fleet, paced)])
  const pacedMs = spreadOf(ended.removalsMs)
  bench.say(`removal  ${jobs} exits one by one: p50 ${pacedMs.p50} ms, p95 ${pacedMs.p95} ms`)
  const together = await startBurst(fleet, jobs)
  await pause(GATE_READY_MS, bench.signal)
  const atOnceMs = spreadOf((await endBurst(fleet, together)).removalsMs)
  bench.say(`removal  ${jobs} exits together: p50 ${atOnceMs.p50} ms, p95 ${atOnceMs.p95} ms`)
  await fleet.close()
  const verdict = judge(`burst of ${jobs}: exit → removed, p95`, pacedMs.p95, BUDGET_MS)
  return { jobs, pacedMs, atOnceMs, floorMs, verdict }
}

/** Lets every job take equally long, so that their ends are as far apart as their starts were. */
async function endInPace(fleet: Fleet, { containers, queuedAt, waitsMs }: Burst): Promise<void> {
  const { docker, signal } = fleet.bench
  await pause(GATE_READY_MS, signal)
  const laterMs = Date.now() - queuedAt - (waitsMs[0] ?? 0)
  for (const [index, { id }] of containers.entries()) {
    await pause(Math.max(0, queuedAt + (waitsMs[index] ?? 0) + laterMs - Date.now()), signal)
    await openGate(docker, id)
  }
}
