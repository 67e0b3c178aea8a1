// A take-over reads the whole fleet; the ids of all hosts were put in order once for each host.
import { expect, it, onTestFinished, vi } from 'vitest'
import { FleetCache } from '../../core/flows/planner/fleet-cache.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { hostId } from '../../core/model/index.ts'

it.fails('taking in four times as many hosts sorts four times as many ids', async () => {
  const few = await sortedIds(250)
  expect(await sortedIds(1_000)).toBeLessThanOrEqual(few * 4)
})

/** How many elements are sorted, all sorts together, while a full reading of so many hosts is taken in. */
async function sortedIds(hosts: number): Promise<number> {
  const store = createMemoryStore()
  for (let index = 0; index < hosts; index += 1) {
    const id = hostId(`host-${(index * 7_919) % hosts}`)
    await store.addHost({ id, tags: [], tokenHash: `hash-${index}`, now: 1 })
  }
  const fleet = await store.readFleet()
  const spies = [vi.spyOn(Array.prototype, 'toSorted'), vi.spyOn(Array.prototype, 'sort')]
  const restore = (): void => spies.forEach((spy) => spy.mockRestore())
  onTestFinished(restore)
  const view = new FleetCache()
  view.applyAll(fleet)
  view.world(1, [], [])
  const lengths = spies.flatMap(({ mock }) => (mock.contexts as unknown[][]).map((list) => list.length))
  restore()
  return lengths.reduce((sum, length) => sum + length, 0)
}
