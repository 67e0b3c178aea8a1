import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SandboxEvent, startSandbox } from '../../sandbox/index.ts'
import { Secret } from '../../core/model/secret.ts'
import { type Bench, job, pollBody, startBench, template, TOKEN } from './client.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'

const POLL = '/provisioners/demand/poll'
const pollTemplates = [template(['linux'], 5)]

describe.each(['v1', 'v2'] as const)('the %s server', (protocol) => {
  let bench: Bench
  let events: SandboxEvent[]

  beforeEach(async () => {
    events = []
    bench = await startBench({ protocol, random: () => 0.05, onEvent: (event) => events.push(event) })
  })
  afterEach(() => bench.sandbox.close())

  it('holds a poll until its wait ends, then answers empty lists', async () => {
    const started = performance.now()
    const answer = await bench.call('POST', POLL, { ...pollBody(pollTemplates), wait_seconds: 1 })
    expect(performance.now() - started).toBeGreaterThan(900)
    expect(answer.body).toEqual({ stats: [], reservations: [], terminate_provider_runner_ids: [] })
  })

  it('grants a job that arrives while a poll is open', async () => {
    const answer = bench.call('POST', POLL, { ...pollBody(pollTemplates), wait_seconds: 30 })
    await eventually(
      'the server answers beside the open poll',
      async () => (await bench.call('GET', '/provisioners/me')).status === 200,
    )
    bench.sandbox.enqueue([job(['linux'])])
    expect((await answer).body.reservations).toMatchObject([{ count: 1, labels: ['linux'] }])
  })

  it.each([
    ['nothing may be reserved', pollBody(pollTemplates, 0)],
    ['no template is offered', pollBody([])],
    ['no slot is free', pollBody([template(['linux'], 0)])],
  ])('answers a poll at once when %s', async (_, body) => {
    bench.sandbox.enqueue([job(['linux'])])
    const started = performance.now()
    const answer = await bench.call('POST', POLL, { ...body, wait_seconds: 30 })
    expect(performance.now() - started).toBeLessThan(25_000)
    expect(answer.body.reservations).toEqual([])
  })

  it('leaves no grant behind for a client that gave up its open poll', async () => {
    const slow = await startBench({ protocol, random: () => 1 })
    const giveUp = new AbortController()
    const body = { ...pollBody(pollTemplates), wait_seconds: 30 }
    const open = slow.call('POST', POLL, body, { signal: giveUp.signal })
    const gone = open.catch((error: Error) => error.name)
    await slow.call('GET', '/provisioners/me')
    giveUp.abort()
    expect(await gone).toBe('AbortError')
    await slow.call('GET', '/provisioners/me') // by then the server has seen the connection end
    slow.sandbox.enqueue([job(['linux'])])
    await new Promise((resolve) => setTimeout(resolve, 1100)) // past the re-check that the open poll would have had
    expect(slow.sandbox.stats().reservedUnits).toBe(0)
    const next = await slow.call('POST', POLL, body)
    expect(next.body.reservations).toMatchObject([{ count: 1 }])
    await slow.sandbox.close()
  })

  it('releases the grants of a poll whose client went away before it had the whole answer', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `${index}-`.padEnd(128, 'x'))
    const sets = Array.from({ length: 9000 }, (_, index) =>
      names.filter((__, bit) => bit < 6 || (index >> (bit - 6)) & 1),
    )
    bench.sandbox.enqueue(sets.map((labels) => job(labels)))
    const content = JSON.stringify(pollBody([template(names, 50)]))
    const socket = connect(bench.sandbox.port, '127.0.0.1')
    socket.write(
      `POST ${POLL} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN.reveal()}\r\n` +
        `content-type: application/json\r\ncontent-length: ${content.length}\r\n\r\n${content}`,
    )
    socket.once('data', () => socket.destroy())
    await eventually('jobs are reserved', () => events.some((event) => event.type === 'jobs.reserved'))
    await eventually('nothing is reserved', () => bench.sandbox.stats().reservedUnits === 0)
  })

  it('queues a batch at one instant and tells of each step in order', async () => {
    const jobs = bench.sandbox.enqueue([job(['linux']), job(['LINUX'])])
    await bench.call('POST', POLL, pollBody(pollTemplates))
    bench.sandbox.cancel(jobs[1]!.id)
    expect(events.map((event) => event.type)).toEqual([
      'job.queued',
      'job.queued',
      'jobs.reserved',
      'job.cancelled',
    ])
    expect(bench.sandbox.stats()).toMatchObject({ jobs: { queued: 1, cancelled: 1 }, reservedUnits: 2 })
  })

  it('waits until no job is queued or claimed, or until the wait is given up', async () => {
    await bench.sandbox.waitUntilIdle(AbortSignal.timeout(PATIENCE_MS))
    const [queued] = bench.sandbox.enqueue([job(['linux'])])
    await expect(bench.sandbox.waitUntilIdle(AbortSignal.timeout(50))).rejects.toThrow(/timeout/i)
    const idle = bench.sandbox.waitUntilIdle(AbortSignal.timeout(PATIENCE_MS))
    bench.sandbox.cancel(queued!.id)
    await idle
  })

  it('refuses jobs that are none, an unknown job, a malformed token and a taken port, each with its reason', async () => {
    expect(() => bench.sandbox.enqueue([job([])])).toThrow(/0\.labels/)
    expect(() => bench.sandbox.cancel('x')).toThrow(/no job "x"/)
    const start = (options: object) => startSandbox({ protocol, dataDir: null, ...options })
    await expect(start({ provisionerToken: new Secret('sf_pt_short') })).rejects.toThrow(/43 characters/)
    await expect(start({ port: bench.sandbox.port })).rejects.toMatchObject({ code: 'sandbox-listen' })
  })

  it('can be closed while polls are open, and twice', async () => {
    const open = bench.call('POST', POLL, { ...pollBody(pollTemplates), wait_seconds: 30 })
    const gone = open.catch((error: Error) => error.name)
    await bench.call('GET', '/provisioners/me')
    await bench.sandbox.close()
    expect(await gone).toBe('TypeError')
  })
})

describe('the mint limit of v1', () => {
  it('answers the 121st request of a minute 429 with the seconds left, whatever the requests were', async () => {
    const bench = await startBench({ protocol: 'v1' })
    const mint = () => bench.call('POST', '/provisioners/runner-registration-tokens/batch', {})
    for (let request = 0; request < 120; request += 1) expect((await mint()).status).toBe(400)
    bench.clock.at = 17.5
    const limited = await mint()
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '43'])
    expect(limited.body).toEqual({ code: 'rate-limited', details: { retry_after_seconds: 43 } })
    bench.clock.at = 60
    expect((await mint()).status).toBe(400)
    await bench.sandbox.close()
  })
})
