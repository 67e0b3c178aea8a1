// A source that mints for jobs and refuses to mint warm runners.
import { expect, it } from 'vitest'
import type { DemandSource } from '../../core/ports/index.ts'
import { SimWorld } from '../sim/world/sim-world.ts'
import { template } from '../support/template.ts'

it.fails('warm runners that are refused do not delay jobs', async () => {
  const calm = await waitOfMost({ warm: 0 })
  expect(await waitOfMost({ warm: 50 })).toBeLessThan(calm * 3)
})

/** How long 95 of 100 jobs wait at most, one job every two seconds. */
async function waitOfMost({ warm }: { warm: number }): Promise<number> {
  const world = new SimWorld()
  world.templates = [template('small', { targetConcurrency: warm })]
  const agent = await world.addHost('one', { runners: 20 })
  refuseWarm(world.source)
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(5_000)
  for (let job = 0; job < 100; job += 1) {
    world.source.enqueue(1, ['small'], 5_000)
    await world.clock.run(2_000)
  }
  await world.clock.runUntil(() => world.source.openJobs === 0, 3_600_000)
  const waits = world
    .eventsOf('runner.running')
    .map(({ queuedMs }) => queuedMs)
    .filter((wait) => wait !== undefined)
    .toSorted((left, right) => left - right)
  return waits[Math.floor(waits.length * 0.95)]!
}

function refuseWarm(source: DemandSource): void {
  const authenticate = source.authenticate.bind(source)
  const mint = source.mint.bind(source)
  const own: Pick<DemandSource, 'authenticate' | 'mint'> = {
    authenticate: async (signal) => ({ ...(await authenticate(signal)), warm: true }),
    mint: async (request, signal) =>
      request.reservation === null
        ? request.runners.map(({ id }) => ({
            runner: id,
            ok: false,
            code: 'mint-refused',
            reason: 'There are no warm runners here.',
          }))
        : mint(request, signal),
  }
  Object.assign(source, own)
}
