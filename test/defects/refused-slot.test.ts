// An agent creates a container, refuses to start it because its reservation is over, and can't remove it yet.
import { expect, it } from 'vitest'
import { takeAgentMessage } from '../../core/flows/index.ts'
import type { LaunchOrder, ReportedEnd } from '../../core/model/index.ts'
import { SimWorld } from '../sim/world/sim-world.ts'

const REFUSED: ReportedEnd = {
  outcome: 'failed',
  code: 'reservation-expired',
  reason: 'Its reservation is over.',
  exitCode: null,
}

it.fails('the slot of a refused launch is held until its container is cleared away', async () => {
  const world = new SimWorld()
  const agent = await world.addHost('one', { runners: 1 })
  const refused: LaunchOrder[] = []
  const receive = agent.receive.bind(agent)
  agent.receive = (connection, message) => {
    if (message.type !== 'launch') return receive(connection, message)
    const [order] = message.launches
    if (order === undefined || refused.length > 0) return
    refused.push(order)
    const { runner } = order
    agent.containers.set(runner, { order, phase: 'refused', startedAtMs: null, end: REFUSED, cleared: false })
    const runners = [{ runner, sighting: { phase: 'refused', end: REFUSED }, cleared: false } as const]
    const from = { host: agent.host, connection }
    void takeAgentMessage(world.session(), from, { type: 'report', epoch: message.epoch, seq: 77, runners })
  }
  const isHeld = async (): Promise<boolean> => {
    const host = await world.store.getHost(agent.host)
    return refused.some(({ runner }) => host!.slots.has(runner))
  }
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  world.source.enqueue(1, ['small'], 2_000)
  await world.clock.runUntil(() => refused.length > 0, 60_000)
  const held: boolean[] = []
  for (const waitMs of [3_000, 60_000]) {
    await world.clock.run(waitMs)
    held.push(await isHeld())
  }
  expect(held).toEqual([true, true])
})
