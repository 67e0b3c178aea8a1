// A new build asks for the lease of a quiet hub, whose poll of 30 s is open.
import { expect, it } from 'vitest'
import { SimWorld } from '../sim/world/sim-world.ts'

const RENEWAL_MS = 8_000
const HAND_OVER_MS = 5_000

it('a planned hand-over does not wait for the poll that is open', async () => {
  const world = new SimWorld()
  await world.addHost('one')
  const hub = world.startHub({ holder: 'a', build: '1' })
  await world.clock.run(20 * 60_000)
  const startedMs = world.clock.monotonicMs()
  await world.store.requestYield({ holder: 'a', build: '2' })
  await world.clock.runUntil(() => hub.end() !== null, 120_000)
  expect(world.clock.monotonicMs() - startedMs).toBeLessThan(RENEWAL_MS + HAND_OVER_MS)
})
