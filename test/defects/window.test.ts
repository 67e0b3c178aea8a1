// A source that takes 40 mint calls a minute, and 100 jobs that need one call each.
import { expect, it } from 'vitest'
import { SimWorld } from '../sim/world/sim-world.ts'
import { template } from '../support/template.ts'

it.fails('no more units are drawn than can be minted before they expire', async () => {
  const world = new SimWorld()
  const labels = Array.from({ length: 20 }, (_, index) => `l${String(index).padStart(2, '0')}`)
  world.templates = [template('wide', { labels, maxConcurrency: 1_000 })]
  const { source } = world
  const authenticate = source.authenticate.bind(source)
  source.authenticate = async () => ({
    ...(await authenticate()),
    mintCalls: { max: 40, windowMs: 60_000 },
  })
  const agents = []
  for (let index = 10; index < 25; index += 1) agents.push(await world.addHost(`h${index}`, { runners: 10 }))
  world.startHub({ holder: 'a' })
  for (const agent of agents) agent.connect()
  await world.clock.run(5_000)
  for (const set of labelSets(labels).slice(0, 100)) source.enqueue(1, set, 1_000)
  await world.clock.run(4 * 60_000)
  const expired = world.eventsOf('runner.gone').filter(({ code }) => code === 'reservation-expired')
  expect(expired.length).toBeLessThan(10)
})

/** All sets of two and of three labels, each once. */
function labelSets(labels: readonly string[]): string[][] {
  const pairs = labels.flatMap((one, index) => labels.slice(index + 1).map((other) => [one, other]))
  const triples = pairs.flatMap((pair) =>
    labels.filter((label) => label > pair[1]!).map((third) => [...pair, third]),
  )
  return [...pairs, ...triples]
}
