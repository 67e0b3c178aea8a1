import type { Bench } from '../bench.ts'
import { endBurst, startBurst } from '../burst.ts'
import { runFloor } from '../floor.ts'
import { judge, type SamplesResult } from '../results.ts'
import { meanSpreadOf } from '../statistics.ts'
import { randomPause } from '../waiting.ts'
import { openWarm } from './bursts.ts'

const P95_MARGIN_MS = 1_000
const MEAN_MARGIN_MS = 500

/** One job at a time, at random moments, on a fleet that is idle but has seen work lately. */
export async function measureSingle(bench: Bench, samples: number): Promise<SamplesResult> {
  const fleet = await openWarm(bench, 'v2')
  const floors: number[] = []
  const waits: number[] = []
  for (let sample = 0; sample < samples; sample += 1) {
    floors.push(...(await runFloor(fleet, 1, 1)))
    await randomPause(500, 3_000, bench.signal)
    const burst = await startBurst(fleet, 1)
    waits.push(...burst.waitsMs)
    await endBurst(fleet, burst)
    bench.say(
      `single   floor ${Math.round(floors.at(-1) ?? 0)} ms, slipway ${Math.round(waits.at(-1) ?? 0)} ms`,
    )
  }
  await fleet.close()
  const floorMs = meanSpreadOf(floors)
  const slipwayMs = meanSpreadOf(waits)
  const verdicts = [
    judge('single job: queued → running, p95', slipwayMs.p95, floorMs.p95 + P95_MARGIN_MS),
    judge('single job: queued → running, mean', slipwayMs.mean, floorMs.mean + MEAN_MARGIN_MS),
  ]
  return { samples, floorMs, slipwayMs, verdicts }
}
