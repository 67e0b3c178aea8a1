import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestContext } from 'vitest'
import type { Job } from '../../../sandbox/index.ts'
import type { Run } from '../../e2e/support.ts'
import { API } from './api.ts'
import { ENGINE } from './engine-gate.ts'
import { Scene, formatState } from './scene.ts'
import { isOver } from './source.ts'

export interface SoakPlan {
  readonly jobs: number
  /** The jobs are queued evenly over this time. */
  readonly overMs: number
  readonly faultEveryMs: number
}

/** Resident MiB, of the processes that are alive: a new process begins a new list. */
interface Memory {
  readonly hub: number[]
  readonly agent: number[]
}

interface Fault {
  readonly name: string
  /** A process ends by it, and its memory begins anew. */
  readonly kills: boolean
  /** Mints at most whose answers it loses: the source alone knows of them. */
  readonly unlearned: number
  readonly make: (scene: Scene) => Promise<void>
}

/** What a hub has asked for at most and not heard of yet. */
const MINTS_IN_HAND = 10

/** One at a time, in this order, over and over. Each one is over when it resolves; what it did to Slipway is not. */
const FAULTS: readonly Fault[] = [
  {
    ...kill('L4: the hub is killed', async (scene) => {
      await scene.killHub()
      await scene.startHub()
    }),
    unlearned: MINTS_IN_HAND,
  },
  fault('W4: the connection is cut', async (scene) => scene.link.cut()),
  fault('K6: every connection to the engine is cut', async (scene) => scene.gate.proxy.cut()),
  kill('K17: the agent is killed', async (scene) => {
    await scene.killAgent()
    scene.launchAgent()
  }),
  {
    ...fault('R6: the source is away', async (scene) => {
      const outage = scene.api.inject({ on: /./, fault: 'hang' })
      await sleep(3_000)
      outage.release()
      scene.api.cut()
    }),
    unlearned: MINTS_IN_HAND,
  },
  fault('W9: the connection is half open', async (scene) => scene.link.lose('to-hub', 'to-agent')),
  fault('K2: creates are done, and their answers lost', async (scene) => {
    scene.gate.proxy.inject({ on: ENGINE.create, fault: 'lose', times: 2 })
  }),
  fault('R1: polls are done, and their answers lost', async (scene) => {
    scene.api.inject({ on: API.poll, fault: 'lose', times: 2 })
  }),
  fault('K7: the engine takes no connection', async ({ gate }) => {
    await gate.proxy.refuse()
    await sleep(2_000)
    await gate.proxy.listen()
  }),
  fault('L7: the hub stands still', async (scene) => standStill(scene.hub)),
  fault('K4: removals are done, and their answers lost', async (scene) => {
    scene.gate.proxy.inject({ on: ENGINE.remove, fault: 'lose', times: 3 })
  }),
  fault('K19: the agent stands still', async (scene) => standStill(scene.agent)),
  fault('W10: the hub takes no connection', async ({ link }) => {
    link.refuse()
    await sleep(3_000)
    link.heal()
  }),
]

/** A heap that may grow is cleaned late and looks like a leak; one that leaks dies of this. */
const SMALL_HEAPS = { NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=2' }
const STILL_MS = 3_000
/** A unit that was lost comes back after its reservation, or its runner's silence. */
const REST_MAX_MS = 240_000
const LOOK_MS = 1_000
const SAMPLE_MS = 2_000
/** Processes are left alive for the last part, so that their memory can be seen to stay as it is. */
const KILLS_UNTIL = 0.5

export interface Soaked {
  /** How many jobs ended in which state. */
  readonly ends: Readonly<Record<string, number>>
  readonly faults: number
  /** Resident memory of the last processes: of their last third by that of the second; the first one warms up. */
  readonly growth: { readonly hub: number; readonly agent: number }
}

/** Jobs and faults side by side. Nothing is left afterwards, or it throws. */
export async function soak(test: TestContext, { jobs, overMs, faultEveryMs }: SoakPlan): Promise<Soaked> {
  const scene = await Scene.begin(test, { kinds: ['soak'], env: SMALL_HEAPS })
  const over = new AbortController()
  const memory: Memory = { hub: [], agent: [] }
  const sampling = sampleMemory(scene, memory, over.signal)
  const [{ faults, unlearned }] = await Promise.all([
    makeFaults(scene, { overMs, faultEveryMs }),
    queueEvenly(scene, jobs, overMs),
  ])
  const ends = await endsOfAll(scene)
  over.abort()
  await sampling
  process.stdout.write(`hub ${say(memory.hub)}; agent ${say(memory.agent)}\n`)
  await scene.expectSettled({ unlearned, withinMs: REST_MAX_MS })
  return { ends, faults, growth: { hub: growthOf(memory.hub), agent: growthOf(memory.agent) } }
}

async function queueEvenly(scene: Scene, jobs: number, overMs: number): Promise<void> {
  const beganMs = performance.now()
  for (let queued = 0; queued < jobs; ) {
    const due = Math.min(jobs, Math.ceil(((performance.now() - beganMs + LOOK_MS) / overMs) * jobs))
    const kinds = Array.from({ length: due - queued }, () => 'soak')
    if (kinds.length > 0) await scene.queue(kinds, 'true')
    queued = due
    await sleep(LOOK_MS)
  }
}

async function makeFaults(
  scene: Scene,
  { overMs, faultEveryMs }: Pick<SoakPlan, 'overMs' | 'faultEveryMs'>,
): Promise<{ faults: number; unlearned: number }> {
  const beganMs = performance.now()
  let made = 0
  let unlearned = 0
  for (let next = faultEveryMs; next < overMs; next += faultEveryMs) {
    await sleep(Math.max(0, beganMs + next - performance.now()))
    const usable = FAULTS.filter(({ kills }) => !kills || next < overMs * KILLS_UNTIL)
    const chosen = usable[made % usable.length]
    if (chosen === undefined) break
    process.stdout.write(`${Math.round((performance.now() - beganMs) / 1000)} s: ${chosen.name}\n`)
    await chosen.make(scene)
    made += 1
    unlearned += chosen.unlearned
  }
  return { faults: made, unlearned }
}

/** Waits as long as jobs go on ending: how fast that is, is the machine's matter. */
async function endsOfAll(scene: Scene): Promise<Readonly<Record<string, number>>> {
  let waiting = Infinity
  let progressAtMs = performance.now()
  for (;;) {
    const { jobs } = await scene.source.look()
    const left = jobs.filter((job) => !isOver(job)).length
    if (left < waiting) progressAtMs = performance.now()
    waiting = left
    if (left === 0 || performance.now() - progressAtMs > REST_MAX_MS) return countEnds(jobs)
    await sleep(LOOK_MS)
  }
}

function countEnds(jobs: readonly Job[]): Readonly<Record<string, number>> {
  const ends: Record<string, number> = {}
  for (const job of jobs) ends[formatState(job)] = (ends[formatState(job)] ?? 0) + 1
  return ends
}

async function sampleMemory(scene: Scene, memory: Memory, over: AbortSignal): Promise<void> {
  const seen = { hub: scene.hub, agent: scene.agent }
  while (!over.aborted) {
    for (const part of ['hub', 'agent'] as const) {
      if (scene[part] !== seen[part]) memory[part].length = 0
      seen[part] = scene[part]
      const mib = await residentMib(scene[part])
      if (mib !== null) memory[part].push(mib)
    }
    await sleep(SAMPLE_MS)
  }
}

/** Without the pages of mapped files, which the kernel keeps as long as it likes. Null: it has just ended. */
async function residentMib({ pid }: Run): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
  return kib === undefined ? null : Number(kib) / 1024
}

function growthOf(samples: readonly number[]): number {
  const [, middle, last] = thirds(samples)
  return last / middle
}

function say(samples: readonly number[]): string {
  return `${thirds(samples)
    .map((mib) => mib.toFixed(0))
    .join(' → ')} MiB`
}

/** The medians of the first, second and last third. */
function thirds(samples: readonly number[]): readonly [number, number, number] {
  const third = samples.length / 3
  return [
    median(samples.slice(0, third)),
    median(samples.slice(third, 2 * third)),
    median(samples.slice(2 * third)),
  ]
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN
}

async function standStill(run: Run): Promise<void> {
  run.signal('SIGSTOP')
  await sleep(STILL_MS)
  run.signal('SIGCONT')
}

function fault(name: string, make: Fault['make']): Fault {
  return { name, kills: false, unlearned: 0, make }
}

function kill(name: string, make: Fault['make']): Fault {
  return { name, kills: true, unlearned: 0, make }
}
