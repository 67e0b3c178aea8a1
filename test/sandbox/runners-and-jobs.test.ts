import { describe, expect, it } from 'vitest'
import { cancelJob, completeJob, heartbeatJob } from '../../sandbox/rules/jobs.ts'
import { failStaleRunners, reconcileRunners, reportRunners } from '../../sandbox/rules/reports.ts'
import { requireProvisioner } from '../../sandbox/rules/provisioner.ts'
import { sweepLeases, sweepStale } from '../../sandbox/rules/sweep.ts'
import { TOKEN } from './client.ts'
import { Bench, codeOf, linux } from './world.ts'

const done = { exitCode: 0, output: '', interrupted: false }

describe('reports', () => {
  it('move a runner only up in rank, and the last applied event overwrites the reason', () => {
    const bench = new Bench('v1')
    bench.report('r1', 'failed', { reason: 'boom' })
    bench.at = 1
    bench.report('r1', 'running', { reason: 'late' })
    expect(bench.world.runnersByProviderId.first('r1')).toMatchObject({ state: 'failed', reason: 'boom' })
    bench.report('r1', 'terminated')
    expect(bench.world.runnersByProviderId.first('r1')).toMatchObject({ state: 'terminated', reason: null })
  })

  it('of equal rank need a time that is not older', () => {
    const bench = new Bench('v1')
    bench.at = 10
    bench.report('r1', 'running', { reason: 'new' })
    bench.report('r1', 'running', { reason: 'old', reportedAt: bench.now - 1 })
    expect(bench.world.runnersByProviderId.first('r1')?.reason).toBe('new')
    bench.report('r1', 'running', { reason: 'same time' })
    expect(bench.world.runnersByProviderId.first('r1')?.reason).toBe('same time')
  })

  it('count distinct runners, of which the event of highest rank survives, then the newest', () => {
    const bench = new Bench('v1')
    const events = [
      bench.event('r1', 'stopped', { reason: 'first', reportedAt: bench.now - 5 }),
      bench.event('r1', 'stopped', { reason: 'second', reportedAt: bench.now - 1 }),
      bench.event('r1', 'running'),
      bench.event('r2', 'starting'),
    ]
    expect(reportRunners(bench.world, events, bench.now).accepted).toBe(2)
    expect(bench.world.runnersByProviderId.first('r1')?.reason).toBe('second')
  })

  it('from the future are clamped to the time of the server', () => {
    const bench = new Bench('v1')
    bench.report('r1', 'running', { reason: 'early', reportedAt: bench.now + 1_000_000 })
    bench.at = 1
    bench.report('r1', 'running', { reason: 'now' })
    expect(bench.world.runnersByProviderId.first('r1')?.reason).toBe('now')
  })
})

describe('reconcile', () => {
  it('ends what the list leaves out once it was silent for more than 120 s, and for good', () => {
    const bench = new Bench('v1')
    bench.report('silent', 'running')
    bench.at = 100
    bench.report('fresh', 'running')
    bench.at = 120
    expect(reconcileRunners(bench.world, ['x'], bench.now).terminatedAbsent).toEqual([])
    bench.at = 120.001
    expect(reconcileRunners(bench.world, ['x'], bench.now).terminatedAbsent).toEqual(['silent'])
    bench.report('silent', 'running')
    const [row] = reconcileRunners(bench.world, ['silent'], bench.now).runners
    expect(row).toMatchObject({ terminate: true, runner: { state: 'terminated' } })
  })

  it('reaps nothing with an empty list', () => {
    const bench = new Bench('v1')
    bench.report('silent', 'running')
    bench.at = 1000
    expect(reconcileRunners(bench.world, [], bench.now).terminatedAbsent).toEqual([])
  })

  it('gives the unit of an absent runner back', () => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)], 100, 600_000).reservations
    bench.enrolV2(bench.launchV2(reservation!.id, 'r1'), ['linux'])
    bench.at = 121
    expect(reconcileRunners(bench.world, ['x'], bench.now).terminatedAbsent).toEqual(['r1'])
    expect(bench.granted([linux(5)])).toEqual({ linux: 1 })
  })
})

describe('the minute job', () => {
  it('fails runners only when they and their provisioner were silent for more than 300 s', () => {
    const bench = new Bench('v1')
    bench.report('r1', 'running')
    bench.at = 300
    failStaleRunners(bench.world, bench.now)
    expect(bench.world.runnersByProviderId.first('r1')?.state).toBe('running')
    bench.at = 300.001
    failStaleRunners(bench.world, bench.now)
    expect(bench.world.runnersByProviderId.first('r1')).toMatchObject({
      state: 'failed',
      reason: 'stale-provisioner',
    })
  })

  it('leaves silent runners alone while their provisioner is heard', () => {
    const bench = new Bench('v1')
    bench.report('r1', 'running')
    bench.at = 400
    requireProvisioner(bench.world, TOKEN, bench.now)
    failStaleRunners(bench.world, bench.now)
    expect(bench.world.runnersByProviderId.first('r1')?.state).toBe('running')
  })

  it('forgets after a day what nobody will ask for, and nothing that still waits', () => {
    const bench = new Bench('v2')
    bench.queue(['gpu'])
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    const session = bench.enrolV2(bench.launchV2(reservation!.id, 'r1'), ['linux'])
    completeJob(bench.world, bench.claim(session!)!, done, bench.now)
    bench.report('r1', 'stopped')
    bench.at = 3 * 86_400
    sweepStale(bench.world, bench.now)
    const { jobs, reservations, runners, sessions, tokens } = bench.world
    expect([jobs.size, reservations.size, runners.size, sessions.size, tokens.size]).toEqual([1, 0, 0, 0, 0])
  })
})

describe('a job', () => {
  const claimed = (): { bench: Bench; jobId: string } => {
    const bench = new Bench('v2')
    bench.queue(['linux'])
    const [reservation] = bench.poll([linux(5)]).reservations
    const session = bench.enrolV2(bench.launchV2(reservation!.id, 'r1'), ['linux'])
    return { bench, jobId: bench.claim(session!)! }
  }

  it('is lost when its heartbeats stop for the whole lease, and then takes no result', () => {
    const { bench, jobId } = claimed()
    bench.at = 30
    heartbeatJob(bench.world, jobId, bench.now)
    bench.at = 89.999
    sweepLeases(bench.world, bench.now)
    expect(bench.world.jobs.get(jobId)?.state).toBe('claimed')
    bench.at = 90
    sweepLeases(bench.world, bench.now)
    expect(bench.world.jobs.get(jobId)).toMatchObject({ state: 'lost', runnerId: 'r1', endedAt: bench.now })
    expect(codeOf(() => completeJob(bench.world, jobId, done, bench.now))).toBe('job-lease-lost')
  })

  it('that is cancelled while it runs makes every poll answer at once until its runner is reported ended', () => {
    const { bench, jobId } = claimed()
    cancelJob(bench.world, jobId, bench.now)
    for (let again = 0; again < 2; again += 1) {
      expect(bench.poll([linux(5)])).toMatchObject({ terminate: ['r1'], immediate: true })
    }
    expect(reconcileRunners(bench.world, ['r1'], bench.now).runners[0]?.terminate).toBe(true)
    completeJob(bench.world, jobId, { exitCode: null, output: '', interrupted: true }, bench.now)
    expect(bench.world.jobs.get(jobId)?.state).toBe('cancelled')
    expect(bench.poll([linux(5)]).terminate).toEqual(['r1'])
    bench.report('r1', 'stopped')
    expect(bench.poll([linux(5)])).toMatchObject({ terminate: [], immediate: false })
  })

  it('that ends by itself after a cancellation keeps its own verdict', () => {
    const { bench, jobId } = claimed()
    cancelJob(bench.world, jobId, bench.now)
    completeJob(bench.world, jobId, done, bench.now)
    expect(bench.world.jobs.get(jobId)).toMatchObject({ state: 'finished', cancelRequestedAt: bench.now })
  })

  it('proves that it ran by its nonce', () => {
    const { bench, jobId } = claimed()
    const nonce = bench.world.jobs.get(jobId)!.nonce
    completeJob(bench.world, jobId, { ...done, output: `${'x'.repeat(60_000)}${nonce}` }, bench.now)
    const job = bench.world.jobs.get(jobId)
    expect(job).toMatchObject({ state: 'finished', nonceSeen: true, exitCode: 0 })
    expect((job as { output: string }).output).toHaveLength(16_384)
  })

  it('goes to a session that serves its labels, the oldest first', () => {
    const bench = new Bench('v1')
    const [gpu] = bench.queue(['gpu'])
    bench.at = 1
    const [first] = bench.queue(['linux'])
    bench.at = 2
    bench.queue(['linux'], 1)
    const reservations = bench.poll([{ labels: ['gpu', 'linux'], free: 9 }]).reservations
    const linuxId = reservations.find(({ labels }) => labels[0] === 'linux')!.id
    const narrow = bench.registerV1(linuxId, 'r1', ['linux'])
    const wide = bench.registerV1(linuxId, 'r2', ['gpu', 'linux'])
    expect(bench.claim(narrow)).toBe(first)
    expect(bench.claim(wide)).toBe(gpu)
    expect(codeOf(() => bench.claim(wide))).toBe('runner-session-exhausted')
  })
})
