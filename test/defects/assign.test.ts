// Runners that were assigned to a host before their template was moved to another one.
import { expect, it } from 'vitest'
import { SourceError } from '../../core/ports/index.ts'
import { SimWorld } from '../sim/world/sim-world.ts'
import { template } from '../support/template.ts'

it.fails('a template that was moved to another host launches nothing on the old one', async () => {
  const world = new SimWorld()
  const one = await world.addHost('one')
  const two = await world.addHost('two')
  const on = (host: string) => [template('small', { hosts: { kind: 'named', namesOrTags: [host] } })]
  world.templates = on('one')
  let changed = false
  const refreshTemplates = async (): Promise<boolean> => {
    const answer = changed
    changed = false
    return answer
  }
  world.startHub({ holder: 'a', refreshTemplates })
  one.connect()
  two.connect()
  await world.clock.run(1_000)
  let down = true
  world.source.fault = (call) =>
    call === 'mint' && down ? new SourceError('unavailable', 'It is away.') : null
  world.source.enqueue(1, ['small'], 5_000)
  await world.clock.run(5_000)
  world.templates = on('two')
  changed = true
  await world.clock.run(20_000)
  down = false
  await world.clock.runUntil(() => one.started.length + two.started.length > 0, 120_000)
  expect(one.started).toEqual([])
})
