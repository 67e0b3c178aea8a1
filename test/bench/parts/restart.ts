import type { Bench } from '../bench.ts'
import { endBurst, startBurst } from '../burst.ts'
import { Fleet } from '../fleet.ts'
import { runFloor } from '../floor.ts'
import { judge, type Restart, type RestartResult } from '../results.ts'
import { randomPause } from '../waiting.ts'

const MARGIN_MS = 5_000
/** A crash between a mint and its launch costs the tokens of one small batch, which come again later. */
const LATE_MAX = 10
/** When the hub is killed, in turns: all launches may be with the agent long before their containers run. */
const MOMENTS: readonly Moment[] = [
  { what: 'at the first launch', isNow: ({ sent }) => sent >= 1 },
  { what: 'with half of the launches sent', isNow: ({ sent, jobs }) => sent >= jobs / 2 },
  { what: 'with a third running', isNow: ({ running, jobs }) => running >= jobs / 3 },
]
const FLOOR_AT_ONCE = 4

interface Moment {
  readonly what: string
  readonly isNow: (burst: { sent: number; running: number; jobs: number }) => boolean
}

/** The hub is killed in the middle of a burst and started again at once; agent and source live on. */
export async function measureRestart(bench: Bench, jobs: number, restarts: number): Promise<RestartResult> {
  const fleet = await Fleet.open(bench, { protocol: 'v2', shape: 'apart', runnersMax: null })
  await endBurst(fleet, await startBurst(fleet, 5))
  const all: Restart[] = []
  for (const moment of Array.from({ length: restarts }, () => MOMENTS)
    .flat()
    .slice(0, restarts)) {
    const one = await restartOnce(fleet, jobs, moment)
    bench.say(formatRestart(one))
    all.push(one)
  }
  await fleet.close()
  // The worst against its own floor: the machine may have been slower at one time than at another.
  const overMs = Math.max(...all.map(({ restMs, floorMs }) => restMs - floorMs))
  const late = Math.max(...all.map((one) => one.late))
  const verdicts = [
    judge(`hub killed, ${jobs} jobs: the rest runs, ms beyond the floor`, overMs, MARGIN_MS),
    judge(`hub killed, ${jobs} jobs: runners later than that`, late, LATE_MAX),
  ]
  return { jobs, restarts: all, verdicts }
}

function formatRestart({ moment, floorMs, restMs, lastMs, late, extra }: Restart): string {
  const rest = `all but ${LATE_MAX} run by ${restMs} ms, the last by ${lastMs} ms`
  return `restart  hub killed ${moment}: floor ${floorMs} ms; ${rest}; ${late} late, ${extra} extra`
}

async function restartOnce(fleet: Fleet, jobs: number, moment: Moment): Promise<Restart> {
  const floorMs = Math.round(Math.max(...(await runFloor(fleet, jobs, FLOOR_AT_ONCE))))
  await randomPause(1_000, 3_000, fleet.bench.signal)
  const sentBefore = fleet.launchesSent
  let crashed = false
  const burst = await startBurst(fleet, jobs, async (running) => {
    const sent = fleet.launchesSent - sentBefore
    if (crashed || !moment.isNow({ sent, running, jobs })) return
    crashed = true
    await fleet.crashHub()
  })
  const { extra } = await endBurst(fleet, burst)
  const { waitsMs } = burst
  return {
    moment: moment.what,
    floorMs,
    restMs: Math.round(waitsMs.at(-1 - LATE_MAX) ?? 0),
    late: waitsMs.filter((ms) => ms > floorMs + MARGIN_MS).length,
    lastMs: Math.round(waitsMs.at(-1) ?? 0),
    extra,
  }
}
