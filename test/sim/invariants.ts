import { expect } from 'vitest'
import type { SimWorld } from './sim-world.ts'

/** What must hold at every instant: one container per token and per runner, and never more than a host can hold. */
export function checkSafety(world: SimWorld): void {
  const runners = new Set<string>()
  const tokens = new Set<string>()
  for (const agent of world.agents.values()) {
    for (const { runner, token } of agent.started) {
      expect(runners.has(runner), `inv. 2: runner ${runner} started twice`).toBe(false)
      expect(tokens.has(token), `inv. 1: token ${token} used twice`).toBe(false)
      runners.add(runner)
      tokens.add(token)
    }
  }
}

/** What must be true once all work is done: nothing stays. */
export async function checkNothingLeft(world: SimWorld): Promise<void> {
  const fleet = await world.store.readFleet()
  expect(world.failures, 'a handler failed').toEqual([])
  for (const source of world.sources) expect(source.openJobs, `jobs of ${source.id} never ran`).toBe(0)
  for (const host of fleet.hosts)
    expect([...host.slots.keys()], `inv. 17: slots left on ${host.id}`).toEqual([])
  const live = fleet.runners.filter((runner) => runner.state !== 'gone')
  expect(live, 'inv. 17: runners left').toEqual([])
  for (const agent of world.agents.values())
    expect(agent.holding, `containers left on ${agent.host}`).toEqual([])
  checkSafety(world)
}
