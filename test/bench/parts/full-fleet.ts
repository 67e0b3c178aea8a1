import type { Bench } from '../bench.ts'
import { endBurst } from '../burst.ts'
import { startedAt, type Watched } from '../engine-watch.ts'
import { runFloor } from '../floor.ts'
import type { Fleet } from '../fleet.ts'
import { openGate } from '../image.ts'
import { judge, type SamplesResult } from '../results.ts'
import { meanSpreadOf } from '../statistics.ts'
import { randomPause } from '../waiting.ts'
import { eventually, pause } from '../../support/eventually.ts'
import { openWarm } from './bursts.ts'

const RUNNERS = 4
const P95_MARGIN_MS = 1_500
const NEXT_MAX_MS = 60_000
/** A container that has just started needs a moment until its gate listens. */
const GATE_READY_MS = 500

/** A fleet of a few slots with a queue before it: one job ends at a time, and the next container takes its slot. */
export async function measureFullFleet(bench: Bench, samples: number): Promise<SamplesResult> {
  const fleet = await openWarm(bench, 'v2', RUNNERS)
  const queuedAt = fleet.queue(RUNNERS + samples)
  const before = fleet.containers().length
  await eventually(
    'the fleet is full',
    () => {
      return fleet.containers().length - before === RUNNERS
    },
    { withinMs: NEXT_MAX_MS, signal: bench.signal },
  )
  const floors: number[] = []
  const waits: number[] = []
  for (let sample = 0; sample < samples; sample += 1) {
    floors.push(...(await runFloor(fleet, 1, 1)))
    await randomPause(GATE_READY_MS, 2_000, bench.signal)
    waits.push(await takeTurn(fleet))
    bench.say(
      `full     floor ${Math.round(floors.at(-1) ?? 0)} ms, slipway ${Math.round(waits.at(-1) ?? 0)} ms`,
    )
  }
  await pause(GATE_READY_MS, bench.signal)
  await endBurst(fleet, { queuedAt, containers: fleet.containers().slice(before), waitsMs: [] })
  await fleet.close()
  const floorMs = meanSpreadOf(floors)
  const slipwayMs = meanSpreadOf(waits)
  const verdict = judge('full fleet: exit → next running, p95', slipwayMs.p95, floorMs.p95 + P95_MARGIN_MS)
  return { samples, floorMs, slipwayMs, verdicts: [verdict] }
}

/** Ends the oldest container's job. Resolves with the ms from its `FinishedAt` to the next container's `StartedAt`. */
async function takeTurn(fleet: Fleet): Promise<number> {
  const { docker, signal } = fleet.bench
  const all = fleet.containers()
  const oldest = all.find(({ diedAt }) => diedAt === null)
  if (oldest === undefined) throw new Error('No container runs.')
  await openGate(docker, oldest.id)
  const next = await eventually(
    'the next container runs',
    (): Watched | undefined => fleet.containers().at(all.length),
    { withinMs: NEXT_MAX_MS, signal },
  )
  const finishedAt = await eventually('the agent tells the exit', () => fleet.finishedAt.get(oldest.runner), {
    withinMs: NEXT_MAX_MS,
    signal,
  })
  return (await startedAt(docker, next)) - finishedAt
}
