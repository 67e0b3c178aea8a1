import { describe, expect, it } from 'vitest'
import { demoImage } from '../e2e/world.ts'
import { Scene } from './support/scene.ts'
import { templateLine } from './support/templates.ts'

describe.concurrent('a job that misbehaves', () => {
  it('K15, K22: eats its memory, or all of its processes: it fails, and the jobs beside it do not', async (test) => {
    const image = await demoImage()
    const bomb = templateLine('bomb', image, ', memory: 2GiB').replace('cpu: 0.1', 'cpu: 1')
    // Enough that the job is larger than the runner beside it, which the kernel then leaves alone.
    const hogs = templateLine('hog', image, ', memory: 192MiB')
    const scene = await Scene.begin(test, { kinds: ['other'], templates: `${bomb}\n${hogs}` })
    const others = await scene.queue(['other', 'other'], 'sleep 8')
    const hog = await scene.queue(['hog'], 'tail /dev/zero || exit 1')
    const bombs = await scene.queue(['bomb'], 'while :; do sleep 300 & done')
    expect(await scene.ended(others)).toEqual(['finished', 'finished'])
    // Where the kernel takes the runner along with its job, the source hears nothing of it any more.
    expect(['failed', 'lost']).toContain((await scene.ended(hog))[0])
    expect(await scene.ended(bombs)).toEqual(['failed'])
    const [bombed] = await scene.now(bombs)
    expect(bombed && 'output' in bombed && bombed.output).toMatch(/fork|temporarily unavailable/i)
    await scene.expectSettled()
    const ends = scene.hubEvents('runner.gone')
    // A runner that outlives its job ends well; either way it is told what happened.
    const hogged = ends.filter(({ template }) => template === 'hog')
    expect(hogged.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('more memory than its template allows'),
    ])
    expect(ends.filter(({ template, code }) => template === 'other' && code === 'exited')).toHaveLength(2)
  })
})

it('a burst of jobs is served on the DynamoDB adapter as on SQLite: each runs once, and nothing is left', async (test) => {
  const scene = await Scene.begin(test, { kinds: ['burst'], store: 'DynamoDB' })
  const jobs = await scene.queue(Array.from({ length: 20 }, () => 'burst'))
  expect(await scene.ended(jobs)).toEqual(jobs.map(() => 'finished'))
  await scene.expectSettled()
}, 240_000)
