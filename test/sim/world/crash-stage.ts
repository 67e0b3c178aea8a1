import { expect } from 'vitest'
import { checkNothingLeft, checkSafety } from '../invariants/invariants.ts'
import { Life } from './mortal.ts'
import type { SimAgent } from './sim-agent.ts'
import { type SimHub, SimWorld } from './sim-world.ts'
import { template } from '../../support/template.ts'

const SHORT_JOBS = 4
/** How long a job lasts that will be canceled, unless it is. */
const LONG_JOB_MS = 12_000
const LOOK_MS = 200
export const LIMIT_MS = 10 * 60_000
/** The slow repair, what was left unclaimed for 30 s, and a source's patience have their turn. */
const SETTLE_MS = 100_000

export interface Stage {
  readonly world: SimWorld
  readonly hosts: readonly [SimAgent, SimAgent]
  start(holder: string, life: Life, over?: Partial<Parameters<SimWorld['startHub']>[0]>): SimHub
  /** Brings in the jobs: short ones that fill their template's caps, and a long one that is canceled as it runs. */
  queue(): void
}

/** Two hosts whose room, and templates whose caps, are smaller than what is asked of them. */
export async function stage(): Promise<Stage> {
  const world = new SimWorld()
  world.templates = [template('small', { maxConcurrency: 3, perHost: 2 }), template('long')]
  const hosts = [
    await world.addHost('one', { runners: 3 }),
    await world.addHost('two', { runners: 2 }),
  ] as const
  return {
    world,
    hosts,
    start: (holder, life, over = {}) =>
      world.startHub({
        holder,
        store: life.limit(world.store),
        gateway: life.limit(world.gateway()),
        sources: world.sources.map((source) => life.limit(source)),
        ...over,
      }),
    queue: () => {
      world.source.enqueue(SHORT_JOBS, ['small'], 1_500)
      world.source.enqueue(1, ['long'], LONG_JOB_MS)
      void cancelLong(world)
    },
  }
}

/** A run in which nothing happens to the hub, up to the end of the last job. */
export async function untouchedRun(): Promise<{ world: SimWorld; life: Life }> {
  const { world, hosts, start, queue } = await stage()
  const life = new Life()
  start('a', life)
  for (const host of hosts) host.connect()
  await world.clock.run(1_000)
  queue()
  await world.clock.runUntil(() => world.source.openJobs === 0, LIMIT_MS)
  return { world, life }
}

/** Whoever has the long job is canceled, as a person would. */
async function cancelLong({ agents, clock, source }: SimWorld): Promise<void> {
  while (source.cancel.length === 0) {
    await clock.sleep(LOOK_MS)
    for (const { containers } of agents.values())
      for (const { order, phase } of containers.values())
        if (order.origin.template === 'long' && phase === 'running') source.cancel = [order.runner]
  }
}

/** Whatever happened: all jobs run, nothing is broken on the way, and nothing stays. */
export async function finish(world: SimWorld): Promise<void> {
  const what = (): string =>
    world.events
      .slice(-8)
      .map((one) => JSON.stringify(one))
      .join('\n')
  const isDone = (): boolean => {
    checkSafety(world)
    return world.source.openJobs === 0
  }
  await world.clock.runUntil(isDone, LIMIT_MS, what)
  await world.clock.run(SETTLE_MS)
  await world.sweep()
  await checkNothingLeft(world)
  checkNoSurplus(world)
}

/** Inv. 11: however often demand was told, and to whom: as many runners as jobs. */
function checkNoSurplus({ agents }: SimWorld): void {
  const idle = [...agents.values()].flatMap((agent) => agent.idle)
  expect(idle, 'inv. 11: runners that found no job').toEqual([])
}
