import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, type TestContext } from 'vitest'
import { hubDatabase } from '../../../local/hub-database.ts'
import { Scene, SHORT_RESERVATIONS } from './scene.ts'

const JOBS_PER_BURST = 6
/** From the first launch of a burst to beyond its last one. */
const BURST_MS = 1_500
/** What a hub has asked for at most and not heard of yet: the source alone knows of it. */
const MINTS_IN_HAND = 10

/**
 * Kills the hub in one burst after another, each time a little later in the burst. After each kill, and before any hub
 * runs again, the file is whole, and every runner that the agent or the source knows has its record in it. Resolves with
 * the number of those runners.
 */
export async function killInBursts(test: TestContext, kills: number): Promise<number> {
  const scene = await Scene.begin(test, { kinds: ['job'], env: SHORT_RESERVATIONS })
  let checked = 0
  for (let kill = 0; kill < kills; kill += 1) {
    const launched = scene.hubEvents('runner.dispatched').length
    const before = knownRunners(scene)
    const jobs = await scene.queue(Array.from({ length: JOBS_PER_BURST }, () => 'job'))
    await scene.until('the burst begins', () => scene.hubEvents('runner.dispatched').length > launched)
    await sleep((kill / kills) * BURST_MS)
    await scene.killHub()
    const known = [...knownRunners(scene)].filter((runner) => !before.has(runner))
    await expectRecorded(scene, known)
    checked += known.length
    await scene.startHub()
    expect(await scene.ended(jobs)).toEqual(jobs.map(() => 'finished'))
  }
  await scene.expectSettled({ unlearned: kills * MINTS_IN_HAND })
  return checked
}

/** Those that the agent took, or that the source saw. */
function knownRunners(scene: Scene): ReadonlySet<unknown> {
  const taken = scene.agentEvents('agent.launch-accepted').map(({ runner }) => runner)
  const seen = (['runner.registered', 'job.claimed'] as const).flatMap((name) =>
    scene.source.events(name).map(({ runnerId }) => runnerId),
  )
  return new Set([...taken, ...seen])
}

async function expectRecorded(scene: Scene, known: readonly unknown[]): Promise<void> {
  const db = new DatabaseSync(hubDatabase(join(scene.place.stateDir, 'hub')), { readOnly: true })
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  db.close()
  const { runners, unreadable } = await scene.state.read()
  expect(unreadable).toEqual([])
  const recorded = new Set<unknown>(runners.map(({ id }) => id))
  expect(known.filter((runner) => !recorded.has(runner))).toEqual([])
}
