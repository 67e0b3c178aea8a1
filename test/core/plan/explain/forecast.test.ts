import { describe, expect, it } from 'vitest'
import { forecastJob } from '../../../../core/plan/index.ts'
import { GITHUB, hostView, NOW, SHIPFOX, template, waiting, world } from '../worlds.ts'

const one = { capacity: { runners: 1 } }

describe('what would become of a job', () => {
  it('is a start by the cheapest template that has room', () => {
    const templates = [template('dear', { cost: 9 }), template('cheap', { cost: 1 })]
    const found = forecastJob(world(templates, [hostView('h1')]), [], SHIPFOX, ['linux'])
    expect(found).toEqual({ kind: 'starts', template: 'cheap', host: 'h1' })
  })

  it('is the reason of the planner where there is none', () => {
    const found = forecastJob(world([template('a')], []), [], SHIPFOX, ['linux'])
    expect(found).toEqual({ kind: 'waits', reason: { code: 'no-host-assigned', template: 'a' } })
  })

  it('leaves room for jobs that have waited longer, of any source, and takes it before the others', () => {
    const templates = [template('a'), template('b', { labels: ['mac'] })]
    const fleet = world(templates, [hostView('h1', one)])
    const older = [{ source: GITHUB, waiting: [waiting(['mac'], 1, { oldestQueuedAt: NOW - 2_000 })] }]
    const mine = (oldestQueuedAt: number) => [
      ...older,
      { source: SHIPFOX, waiting: [waiting(['linux'], 5, { oldestQueuedAt })] },
    ]
    expect(forecastJob(fleet, mine(NOW - 1_000), SHIPFOX, ['linux']).kind).toBe('waits')
    expect(forecastJob(fleet, mine(NOW - 3_000), SHIPFOX, ['linux']).kind).toBe('starts')
  })

  it('stands last where nobody waits for its labels yet, and is not held up by what was granted', () => {
    const fleet = world([template('a'), template('b', { labels: ['mac'] })], [hostView('h1', one)])
    const known = (reserved: number) => [{ source: SHIPFOX, waiting: [waiting(['mac'], 1, { reserved })] }]
    expect(forecastJob(fleet, known(0), SHIPFOX, ['linux']).kind).toBe('waits')
    expect(forecastJob(fleet, known(1), SHIPFOX, ['linux']).kind).toBe('starts')
  })
})
