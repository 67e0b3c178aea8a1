import { startedAt, type Watched } from './engine-watch.ts'
import type { Fleet } from './fleet.ts'
import { openGate } from './image.ts'
import { eachOf } from './waiting.ts'
import { eventually } from '../support/eventually.ts'

/** Longer means stuck: even a unit that was lost comes back when its reservation ends, after a minute. */
const BURST_MAX_MS = 300_000
/** Gates are tried again after this: the last containers may not have got so far at the first try. */
const GATES_AGAIN_MS = 1_500
const GATES_AT_ONCE = 4
/** A source takes a unit back whose runner has not called within a minute, so no gate stays closed for so long. */
const HOLD_MAX_MS = 45_000

/** Jobs that were queued together, whose containers all run now and wait at their gates. */
export interface Burst {
  readonly queuedAt: number
  readonly containers: readonly Watched[]
  /** From the queueing to each container's `StartedAt`, in ms, ascending. */
  readonly waitsMs: readonly number[]
}

/** Queues jobs and waits until a container runs for each. `meanwhile` is called with the number that run already. */
export async function startBurst(
  fleet: Fleet,
  count: number,
  meanwhile: (running: number) => Promise<void> = async () => {},
): Promise<Burst> {
  const { docker, signal } = fleet.bench
  const before = fleet.containers().length
  const queuedAt = fleet.queue(count)
  const gates = new Gates(fleet, before)
  const containers = await eventually(
    `${count} containers run`,
    async () => {
      const started = fleet.containers().slice(before)
      await meanwhile(started.length)
      if (Date.now() - queuedAt > HOLD_MAX_MS) await gates.open()
      return started.length >= count && started
    },
    { withinMs: BURST_MAX_MS, signal },
  )
  const waitsMs: number[] = []
  for (const one of containers) waitsMs.push((await startedAt(docker, one)) - queuedAt)
  return { queuedAt, containers, waitsMs: waitsMs.toSorted((left, right) => left - right) }
}

/** What became of a burst. */
export interface Ended {
  /** From each container's `FinishedAt` to its removal, in ms. */
  readonly removalsMs: readonly number[]
  /** Containers that started beyond one for each job. */
  readonly extra: number
}

/** Opens all gates, and waits until every job has finished and no container is left. Throws for a job that failed. */
export async function endBurst(fleet: Fleet, burst: Burst): Promise<Ended> {
  const gates = new Gates(fleet, indexOf(fleet, burst))
  return ending(fleet, burst, () => gates.open())
}

/** Waits for the end of a burst whose gates `meanwhile` opens, or somebody else does. */
export async function ending(
  fleet: Fleet,
  burst: Burst,
  meanwhile: () => Promise<void> = async () => {},
): Promise<Ended> {
  const within = { withinMs: BURST_MAX_MS, signal: fleet.bench.signal }
  await eventually(
    'every job ends',
    async () => {
      await meanwhile()
      const { queued, claimed } = fleet.sandbox.stats().jobs
      return queued + claimed === 0
    },
    within,
  )
  const bad = fleet.sandbox.jobs().filter((job) => job.state !== 'finished' || !job.nonceSeen)
  if (bad.length > 0) throw new Error(`${bad.length} jobs did not finish: ${JSON.stringify(bad[0])}`)
  const first = indexOf(fleet, burst)
  const isCleared = ({ runner, removedAt }: Watched): boolean =>
    removedAt !== null && fleet.finishedAt.has(runner)
  const all = await eventually(
    'every container is removed',
    () => {
      const ours = fleet.containers().slice(first)
      return ours.every(isCleared) && ours
    },
    within,
  )
  return {
    removalsMs: all.map(({ runner, removedAt }) => (removedAt ?? 0) - (fleet.finishedAt.get(runner) ?? 0)),
    extra: all.length - burst.containers.length,
  }
}

function indexOf(fleet: Fleet, { containers }: Burst): number {
  return fleet.containers().findIndex(({ id }) => id === containers[0]?.id)
}

/** The gates of all containers from one on, those of runners whose job is under way or done left alone. */
class Gates {
  readonly #fleet: Fleet
  readonly #first: number
  #openedAtMs = -Infinity

  constructor(fleet: Fleet, first: number) {
    this.#fleet = fleet
    this.#first = first
  }

  /** Does nothing when it was done a moment ago. */
  async open(): Promise<void> {
    if (performance.now() - this.#openedAtMs < GATES_AGAIN_MS) return
    this.#openedAtMs = performance.now()
    const { bench, sandbox } = this.#fleet
    const busy = new Set(sandbox.jobs().map((job) => ('runnerId' in job ? job.runnerId : null)))
    const waiting = this.#fleet
      .containers()
      .slice(this.#first)
      .filter(({ runner, diedAt }) => diedAt === null && !busy.has(runner))
    await eachOf(waiting, GATES_AT_ONCE, ({ id }) => openGate(bench.docker, id))
  }
}
