import { describe, expect, it } from 'vitest'
import type { DemandAnswer } from '../../core/model/index.ts'
import { type DemandSource, SourceError } from '../../core/ports/index.ts'
import { checkNothingLeft, checkSafety } from './invariants/invariants.ts'
import { SimRandom } from './world/sim-clock.ts'
import { SimWorld } from './world/sim-world.ts'
import { template } from '../support/template.ts'

const LIMIT_MS = 15 * 60_000
const LABELS = ['small', 'large'] as const

/** Answers get lost after they took effect, and what they tell of waiting jobs is old, told twice, or in another order. */
function distorted(source: DemandSource, random: SimRandom): DemandSource {
  const told: DemandAnswer['waiting'][] = []
  return {
    id: source.id,
    authenticate: (signal) => source.authenticate(signal),
    poll: async (request, signal) => {
      const answer = await source.poll(request, signal)
      told.push(answer.waiting)
      if (random.unit() < 0.2) throw new SourceError('unknown-outcome', 'The answer was lost.')
      const older = told[Math.floor(random.unit() * told.length)] ?? []
      return random.unit() < 0.5 ? { ...answer, waiting: older } : answer
    },
    mint: (request, signal) => source.mint(request, signal),
    report: (reports, signal) => source.report(reports, signal),
    reconcile: (observed, signal) => source.reconcile(observed, signal),
  }
}

/** How many runners of each label set took a job, and which took none. */
async function placementsOf(seed: number, isDistorted: boolean) {
  const world = new SimWorld(seed)
  world.templates = LABELS.map((label) => template(label, { maxConcurrency: 4 }))
  const agent = await world.addHost('one', { runners: 6 })
  const random = new SimRandom(seed * 31)
  const sources = isDistorted ? world.sources.map((source) => distorted(source, random)) : world.sources
  world.startHub({ holder: 'a', sources })
  agent.connect()
  await world.clock.run(1_000)
  for (let burst = 0; burst < 4; burst += 1) {
    for (const label of LABELS) world.source.enqueue(3, [label], 2_000 + burst * 500)
    await world.clock.run(1_500)
  }
  const isDone = (): boolean => {
    checkSafety(world)
    return world.source.openJobs === 0
  }
  await world.clock.runUntil(isDone, LIMIT_MS)
  await world.clock.run(100_000)
  await checkNothingLeft(world)
  const templates = [...agent.containers.values()].map(({ order }) => order.origin.template)
  return {
    perLabel: LABELS.map((label) => templates.filter((one) => one === label).length),
    idle: agent.idle.length,
  }
}

describe('demand is a level', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`inv. 11: answers dropped, repeated and out of order end in the same placements as all of them in order (seed ${seed})`, async () => {
      const expected = { perLabel: [12, 12], idle: 0 }
      expect(await placementsOf(seed, false)).toEqual(expected)
      expect(await placementsOf(seed, true)).toEqual(expected)
    })
  }
})
