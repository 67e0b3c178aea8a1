import type { Bench, Generation } from '../bench.ts'
import { endBurst, startBurst } from '../burst.ts'
import { Fleet } from '../fleet.ts'
import { runFloor } from '../floor.ts'
import { type BurstsResult, type FloorTrial, judge } from '../results.ts'
import { median, medianSpread, type Spread, spreadOf } from '../statistics.ts'
import { pause } from '../../support/eventually.ts'
import { randomPause } from '../waiting.ts'

const FLOOR_AT_ONCE = [1, 4, 8, 16] as const
/** The budget: 1.15 times the floor for work beside the engine's, and 0.8 s for the source's poll and the way. */
const FLOOR_FACTOR = 1.15
const FLOOR_MARGIN_MS = 800
/** Enough that the hub polls as it does while work lives, and that no code runs for the first time. */
const WARM_UP_JOBS = 5
/**
 * For a minute after a job was claimed, a v1 server takes its unit for one that will serve a new job with the same
 * labels, and grants less. Bursts that are this far apart are not met by those before them.
 */
const V1_PAUSE_MS = 61_000
/** With that pause, more would take most of the benchmark's time. */
const V1_BURSTS_MAX = 3

export interface BurstsPlan {
  readonly sizes: readonly number[]
  readonly protocols: readonly Generation[]
  readonly bursts: number
  /** Runs of each way of the floor, to find the best one. */
  readonly trials: number
}

export async function measureBursts(
  bench: Bench,
  plan: BurstsPlan,
): Promise<{ floors: readonly FloorTrial[]; bursts: readonly BurstsResult[] }> {
  const floors: FloorTrial[] = []
  const bursts: BurstsResult[] = []
  for (const protocol of plan.protocols) {
    const fleet = await openWarm(bench, protocol)
    for (const jobs of plan.sizes) {
      if (!floors.some((trial) => trial.jobs === jobs))
        floors.push(...(await tryFloors(fleet, jobs, plan.trials)))
      const atOnce = bestOf(floors.filter((trial) => trial.jobs === jobs))
      const rounds = protocol === 'v1' ? Math.min(plan.bursts, V1_BURSTS_MAX) : plan.bursts
      bursts.push(await measure(fleet, { jobs, atOnce, bursts: rounds }))
    }
    await fleet.close()
  }
  return { floors, bursts }
}

/** A fleet that has seen work a moment ago, and has none now. */
export async function openWarm(
  bench: Bench,
  protocol: Generation,
  runnersMax: number | null = null,
): Promise<Fleet> {
  const fleet = await Fleet.open(bench, { protocol, shape: bench.shape, runnersMax })
  await endBurst(fleet, await startBurst(fleet, Math.min(WARM_UP_JOBS, runnersMax ?? Infinity)))
  return fleet
}

/** Each way several times, in turns. */
async function tryFloors(fleet: Fleet, jobs: number, trials: number): Promise<readonly FloorTrial[]> {
  const runs = new Map<number, Spread[]>(FLOOR_AT_ONCE.map((atOnce) => [atOnce, []]))
  for (let trial = 0; trial < trials; trial += 1) {
    for (const [atOnce, spreads] of runs) spreads.push(await floorRun(fleet, jobs, atOnce))
  }
  return [...runs].map(([atOnce, spreads]) => ({ jobs, atOnce, floorMs: medianSpread(spreads) }))
}

function bestOf(trials: readonly FloorTrial[]): number {
  const [best] = trials.toSorted((left, right) => left.floorMs.p95 - right.floorMs.p95)
  if (best === undefined) throw new Error('No floor was tried.')
  return best.atOnce
}

/** Floor and Slipway in turns, and in changing order, so that the machine's drift hits both. */
async function measure(
  fleet: Fleet,
  { jobs, atOnce, bursts }: { jobs: number; atOnce: number; bursts: number },
): Promise<BurstsResult> {
  const floors: Spread[] = []
  const runs: BurstRun[] = []
  for (let round = 0; round < bursts; round += 1) {
    if (round % 2 === 0) floors.push(await floorRun(fleet, jobs, atOnce))
    runs.push(await burstRun(fleet, jobs))
    if (round % 2 === 1) floors.push(await floorRun(fleet, jobs, atOnce))
  }
  const floorMs = medianSpread(floors)
  const slipwayMs = medianSpread(runs.map(({ spread }) => spread))
  const { protocol } = fleet.plan
  const budgetMs = FLOOR_FACTOR * floorMs.p95 + FLOOR_MARGIN_MS
  return {
    jobs,
    protocol,
    floorMs,
    slipwayMs,
    ratioP95: Math.round((100 * slipwayMs.p95) / floorMs.p95) / 100,
    cpuMsPerLaunch: median(runs.map(({ cpuMsPerLaunch }) => cpuMsPerLaunch)),
    floorAtOnce: atOnce,
    bursts,
    extra: runs.reduce((sum, { extra }) => sum + extra, 0),
    verdict:
      protocol === 'v1' ? null : judge(`burst of ${jobs}: queued → running, p95`, slipwayMs.p95, budgetMs),
  }
}

async function floorRun(fleet: Fleet, jobs: number, atOnce: number): Promise<Spread> {
  const spread = spreadOf(await runFloor(fleet, jobs, atOnce))
  fleet.bench.say(
    `floor    ${jobs} containers, ${atOnce} at once: p50 ${spread.p50} ms, p95 ${spread.p95} ms`,
  )
  await randomPause(500, 1_500, fleet.bench.signal)
  return spread
}

interface BurstRun {
  readonly spread: Spread
  readonly cpuMsPerLaunch: number
  readonly extra: number
}

async function burstRun(fleet: Fleet, jobs: number): Promise<BurstRun> {
  const { say, signal } = fleet.bench
  if (fleet.plan.protocol === 'v1') await pause(V1_PAUSE_MS, signal)
  await randomPause(1_000, 3_000, signal)
  const cpuBefore = await fleet.cpuSeconds()
  const burst = await startBurst(fleet, jobs)
  const cpuMsPerLaunch = (1_000 * ((await fleet.cpuSeconds()) - cpuBefore)) / jobs
  const spread = spreadOf(burst.waitsMs)
  const { extra } = await endBurst(fleet, burst)
  say(
    `slipway  ${jobs} jobs, ${fleet.plan.protocol}: p50 ${spread.p50} ms, p95 ${spread.p95} ms` +
      ` (first ${Math.round(burst.waitsMs[0] ?? 0)} ms, ${Math.round(cpuMsPerLaunch)} ms CPU a launch)`,
  )
  return { spread, cpuMsPerLaunch, extra }
}
