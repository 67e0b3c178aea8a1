// A source that grants reservations and mints nothing draws slots that another source's jobs need.
import { expect, it } from 'vitest'
import { SourceError } from '../../core/ports/index.ts'
import { SimWorld } from '../sim/world/sim-world.ts'

const FAILURES = {
  'refuses every poll': { call: 'poll', failure: new SourceError('unavailable', 'It is away.') },
  'limits the rate of mints': {
    call: 'mint',
    failure: new SourceError('rate-limited', 'Not so fast.', { retryAfterMs: 300_000 }),
  },
  'is unavailable for mints': { call: 'mint', failure: new SourceError('unavailable', 'It is away.') },
  'leaves mints without an answer': {
    call: 'mint',
    failure: new SourceError('unknown-outcome', 'There was no answer.'),
  },
} as const

/** How long the 120 jobs of one source take beside a source that fails. */
async function workOffBeside(fails: keyof typeof FAILURES): Promise<number> {
  const world = new SimWorld(1, ['failing', 'working'])
  const agent = await world.addHost('one', { runners: 10 })
  const [failing, working] = world.sources
  const { call: failingCall, failure } = FAILURES[fails]
  failing!.fault = (call) => (call === failingCall ? failure : null)
  world.startHub({ holder: 'a' })
  agent.connect()
  await world.clock.run(1_000)
  failing!.enqueue(200, ['small'], 10_000)
  working!.enqueue(120, ['small'], 10_000)
  const startedMs = world.clock.monotonicMs()
  await world.clock.runUntil(() => working!.openJobs === 0, 3_600_000)
  return world.clock.monotonicMs() - startedMs
}

async function checkNoDelay(fails: keyof typeof FAILURES): Promise<void> {
  const alone = await workOffBeside('refuses every poll')
  expect(await workOffBeside(fails)).toBeLessThan(alone * 1.3)
}

it.fails('a source that limits the rate of mints does not delay another source', async () => {
  await checkNoDelay('limits the rate of mints')
})

it.fails('a source that is unavailable for mints does not delay another source', async () => {
  await checkNoDelay('is unavailable for mints')
})

it('a source that leaves mints without an answer does not delay another source', async () => {
  await checkNoDelay('leaves mints without an answer')
})
