import { expect, it } from 'vitest'
import type { HubMessage } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import { SimWorld } from '../../sim/world/sim-world.ts'
import { openBench } from './bench.ts'

const JOBS = 5

it('invariant 7: no launch is posted before the commit of its runner has returned, and another process can read it', async () => {
  const bench = openBench()
  const { events } = bench.db
  const world = new SimWorld(1, ['sim'], () => tellDispatches(bench.store, events))
  const other = bench.other()
  const stateOf = other.prepare('SELECT state FROM runners WHERE id = ?')
  const statesAtPost: unknown[] = []
  const gateway = world.gateway()
  const agent = await world.addHost('one')
  world.startHub({
    holder: 'a',
    gateway: {
      ...gateway,
      post(connection, message) {
        for (const id of launched(message)) {
          events.push(`posted ${id}`)
          statesAtPost.push(stateOf.get(id)?.['state'])
        }
        return gateway.post(connection, message)
      },
    },
  })
  agent.connect()
  await world.clock.run(5_000)
  world.source.enqueue(JOBS, ['small'], 1_000)
  await world.clock.runUntil(() => world.source.openJobs === 0, 600_000)

  expect(statesAtPost).toEqual(Array.from({ length: JOBS }, () => 'dispatched'))
  const posts = events.flatMap((event, at) => (event.startsWith('posted ') ? [at] : []))
  for (const at of posts) {
    const id = events[at]?.slice('posted '.length)
    const asked = events.indexOf(`dispatching ${id}`)
    expect(events.slice(asked, at)).toContain('committed')
  }
})

function launched(message: HubMessage): readonly string[] {
  return message.type === 'launch' ? message.launches.map(({ runner }) => runner) : []
}

function tellDispatches(store: FleetStore, events: string[]): FleetStore {
  return {
    ...store,
    dispatchRunner(request) {
      events.push(`dispatching ${request.id}`)
      return store.dispatchRunner(request)
    },
  }
}
