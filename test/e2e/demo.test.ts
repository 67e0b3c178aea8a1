import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Job, startSandbox } from '../../sandbox/index.ts'
import type { Summary } from '../../cli/start/run-summary.ts'
import { openPlace, type Place, watchStarts } from './support.ts'
import { eventually } from '../support/eventually.ts'

let place: Place

beforeEach(async () => {
  place = await openPlace()
})
afterEach(() => place.close())

/** The sandbox's own record of the run, read back by a server on the same folder. */
async function recordedJobs(at: Place, protocol: 'v1' | 'v2'): Promise<readonly Job[]> {
  const dataDir = join(at.stateDir, `sandbox-${protocol}`)
  const sandbox = await startSandbox({ protocol, dataDir })
  const jobs = sandbox.jobs()
  await sandbox.close()
  return jobs
}

const WAITS = { p50: expect.any(Number), p95: expect.any(Number), max: expect.any(Number) }

function expectedSummary(jobs: number) {
  return {
    jobs,
    finished: jobs,
    failed: 0,
    lost: 0,
    containersStarted: jobs,
    containersLeft: 0,
    queuedToRunningMs: WAITS,
  }
}

/** Each job ran once, in a runner of its own, and its nonce came back through the source. */
function expectAllRan(jobs: readonly Job[], count: number): void {
  expect(jobs.map((job) => job.state)).toEqual(Array.from({ length: count }, () => 'finished'))
  const finished = jobs.filter((job) => job.state === 'finished')
  expect(finished.filter((job) => !job.nonceSeen || !job.output.includes(job.nonce))).toEqual([])
  expect(new Set(finished.map((job) => job.runnerId)).size).toBe(count)
}

describe('slipway start --demo-jobs --until-idle --json', () => {
  it('runs 20 jobs in 20 containers on Docker, says so in the last line, and leaves a folder to run in again', async () => {
    const starts = await watchStarts()
    onTestFinished(starts.stop)
    const run = place.slipway(['start', '--demo-jobs', '20', '--until-idle', '--json'])
    expect(await run.end()).toEqual({ code: 0, signal: null })
    expect(run.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(run.summary).toEqual(expectedSummary(20))
    const { p50, p95, max } = run.summary.queuedToRunningMs!
    expect([p50 > 0, p50 <= p95, p95 <= max]).toEqual([true, true, true])
    expectAllRan(await recordedJobs(place, 'v2'), 20)
    expect(await place.containers()).toEqual([])

    const again = place.slipway(['start', '--demo-jobs', '3', '--until-idle', '--json'])
    expect(await again.end()).toEqual({ code: 0, signal: null })
    expect(again.summary).toEqual(expectedSummary(3))
    expectAllRan(await recordedJobs(place, 'v2'), 23)
    expect(await place.containers()).toEqual([])
    expect(await place.processes()).toEqual([])
    // Inv. 2, by the engine's own word: 23 starts, of 23 runners.
    const [install = ''] = await place.installs()
    const started = await eventually('the engine tells of all starts', () => {
      const told = starts.of(install).map(({ runner }) => runner)
      return told.length >= 23 && told
    })
    expect([started.length, new Set(started).size]).toEqual([23, 23])
  })

  it('does the same with a source of the first generation', async () => {
    const args = ['start', '--demo-jobs', '8', '--until-idle', '--json', '--protocol', 'v1']
    const run = place.slipway(args)
    expect(await run.end()).toEqual({ code: 0, signal: null })
    expect(run.summary).toEqual(expectedSummary(8))
    expectAllRan(await recordedJobs(place, 'v1'), 8)
    expect(await place.containers()).toEqual([])
    expect(await place.processes()).toEqual([])
  })

  it('runs plain processes with SLIPWAY_ENGINE=process, of either generation', async () => {
    const other = await openPlace()
    onTestFinished(() => other.close())
    const summaries = await Promise.all([runAsProcesses(place, 'v1'), runAsProcesses(other, 'v2')])
    expect(summaries).toEqual([expectedSummary(4), expectedSummary(4)])
  })
})

async function runAsProcesses(at: Place, protocol: 'v1' | 'v2'): Promise<Summary> {
  const args = ['start', '--demo-jobs', '4', '--until-idle', '--json', '--protocol', protocol]
  const run = at.slipway(args, { SLIPWAY_ENGINE: 'process' })
  expect(await run.end()).toEqual({ code: 0, signal: null })
  expectAllRan(await recordedJobs(at, protocol), 4)
  expect(await at.containers()).toEqual([])
  expect(await at.processes()).toEqual([])
  const files = [...(await at.files()).keys()]
  expect(files.filter((path) => path.startsWith('.slipway/processes/runners/'))).toEqual([])
  return run.summary
}
