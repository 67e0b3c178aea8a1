import { expect } from 'vitest'
import type { SimWorld } from '../world/sim-world.ts'
import { endToTell } from './effects.ts'

/*
 * Who asserts what. The checker of a world (checker.ts) sees every write and every effect as it happens, whoever made it.
 *
 *  1, 2   here: every container ever started, by its token and by its runner.
 *  3      hosts.ts (claims, slots freed or lacking), effects.ts (containers at each start), runners.ts (the
 *         cap per host).
 *  4      runners.ts (who may order a stop), effects.ts (nothing that runs is stopped without an order).
 *  5      checker.ts: leases and obeyed commands; hosts.ts: fences, epochs, claims; runners.ts: sessions.
 *  6      runners.ts, against the edges that docs/protocol.md publishes.
 *  7      checker.ts: item before mint; runners.ts: slot before item; effects.ts: record before command. A poll has
 *         no intent of its own: a grant whose answer is lost ends by itself at the source.
 *  8      hosts.ts, runners.ts, effects.ts: nothing is given up that is there, or that starts after it.
 *         Listings that are damaged or partial: test/sim/races.test.ts and test/core/flows/agent/late-snapshots.test.ts.
 *  9      checker.ts, effects.ts: sources and hosts hear of their own runners alone. Containers, networks and volumes of
 *         strangers are not simulated: test/docker has them on a real engine.
 *  10     hosts.ts: claims; lambda-world.ts: what is asked of sources, minted, dispatched and posted.
 *  11     levels.test.ts; and no runner without a job at the end of each crash point.
 *  12     runners.ts: begun runners against granted units and against the template's cap.
 *  13     clocks.test.ts. Agents have no clock that a message could carry: durations only (core/model/messages.ts).
 *  14     runners.ts and effects.ts at each write and report; checkHonestEnds at the end. Reboots are not
 *         simulated: test/agent and test/docker have them.
 *  15     checker.ts: records and log events. Everything else that could hold a secret: test/assembly and test/e2e.
 *  16     checker.ts: what a handler does for one host's message.
 *  17     checkNothingLeft.
 */

/** What must hold at every instant. */
export function checkSafety(world: SimWorld): void {
  const started = [...world.agents.values()].flatMap((agent) => agent.started)
  const broken = [
    ...repeatsOf(started.map(({ runner }) => runner)).map((id) => `inv. 2: runner ${id} was started twice`),
    ...repeatsOf(started.map(({ token }) => token)).map((id) => `inv. 1: token ${id} was used twice`),
    ...world.checker.breaches,
  ]
  // Asked at every step of some runs: an assertion costs more than all that comes before it.
  if (broken.length > 0) expect(broken, `broken:\n${broken.join('\n')}`).toEqual([])
}

function repeatsOf(ids: readonly string[]): readonly string[] {
  return new Set(ids).size === ids.length ? [] : ids.filter((id, index) => ids.indexOf(id) < index)
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
  checkHonestEnds(world)
  checkSafety(world)
}

const WRITTEN_OFF: ReadonlySet<string> = new Set(['host-dead', 'host-removed'])

/** Inv. 14: every container that was started has one end on record, its own, and its source was told that one. */
function checkHonestEnds(world: SimWorld): void {
  for (const agent of world.agents.values()) {
    for (const { runner: id } of agent.started) {
      const runner = world.checker.runners.get(id)
      expect(runner?.state, `inv. 14: the end of ${id} is not on record`).toBe('gone')
      if (runner?.state !== 'gone') continue
      // Of a container that vanished with its report on the way nobody can know more than that it never finished.
      if (agent.lost.has(id) && runner.outcome !== 'finished') continue
      const end = agent.containers.get(id)?.end ?? agent.lost.get(id) ?? null
      const expected = WRITTEN_OFF.has(runner.code) || end === null ? 'lost' : end.outcome
      expect(runner.outcome, `inv. 14: how ${id} ended`).toBe(expected)
      const source = world.sources.find((one) => one.id === runner.source)
      expect(source?.reports.get(id)?.state, `inv. 14: what the source heard of ${id}`).toBe(
        endToTell(runner),
      )
    }
  }
}
