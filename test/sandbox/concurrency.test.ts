import { describe, expect, it } from 'vitest'
import { PATIENCE_MS } from '../support/eventually.ts'
import { type Bench, job, pollBody, startBench, template } from './client.ts'

const RUNNERS = 100
const labels = ['linux']

describe.each(['v1', 'v2'] as const)('many requests at once on %s', (protocol) => {
  /** One-time tokens with their runner ids, minted in small batches. */
  async function mint(bench: Bench, count: number): Promise<{ runnerId: string; token: string }[]> {
    const poll = await bench.call(
      'POST',
      '/provisioners/demand/poll',
      pollBody([template(labels, count)], count),
    )
    const reservation_id = poll.body.reservations[0]!.reservation_id
    const batches = Array.from({ length: count / 10 }, (_, batch) =>
      Array.from({ length: 10 }, (__, index) => `runner-${batch * 10 + index}`),
    )
    const minted = await Promise.all(
      batches.map((ids) =>
        protocol === 'v1' ? mintV1(bench, reservation_id, ids) : mintV2(bench, reservation_id, ids),
      ),
    )
    return minted.flat()
  }

  async function mintV1(bench: Bench, reservation_id: string, ids: string[]) {
    const body = { reservation_id, runner_instances: ids.map((id) => ({ provider_runner_id: id })) }
    const answer = await bench.call('POST', '/provisioners/runner-registration-tokens/batch', body)
    return answer.body.tokens.map((each) => ({
      runnerId: each.provider_runner_id,
      token: each.registration_token,
    }))
  }

  async function mintV2(bench: Bench, reservation_id: string, ids: string[]) {
    const body = { runner_instances: ids.map(() => ({ reservation_id })) }
    const { runner_instances: instances } = (
      await bench.call('POST', '/provisioners/runner-instances/batch', body)
    ).body
    return Promise.all(
      instances.map(async (each) => {
        const runnerId = ids[each.request_index]!
        const path = `/provisioners/runner-instances/${each.runner_instance_id}/provider-runner`
        expect((await bench.call('POST', path, { provider_runner_id: runnerId })).body).toEqual({
          attached: true,
        })
        return { runnerId, token: each.bootstrap_token }
      }),
    )
  }

  /** The token to register with. */
  async function enter(bench: Bench, token: string): Promise<string> {
    if (protocol === 'v1') return token
    const exchanged = await bench.call(
      'POST',
      '/runner-enrollment/exchange',
      { bootstrap_token: token },
      { token: null },
    )
    const who = { labels, provider_kind: 'docker', protocol_version: 1 }
    const control = exchanged.body.control_session_token
    return (await bench.call('POST', '/runner-control/enrollment', who, { token: control })).body
      .activation_token
  }

  async function runOne(bench: Bench, token: string): Promise<string> {
    const register = await bench.call(
      'POST',
      '/runners/register',
      { labels },
      { token: await enter(bench, token) },
    )
    const claim = await bench.call(
      'POST',
      '/runners/jobs/request',
      {},
      { token: register.body.session_token },
    )
    expect(claim.status).toBe(200)
    const lease = { token: claim.body.lease_token }
    await bench.call('POST', '/runners/jobs/heartbeat', {}, lease)
    const result = { exit_code: 0, output: claim.body.sandbox.nonce, interrupted: false }
    expect((await bench.call('POST', '/runners/jobs/complete', result, lease)).body).toEqual({
      state: 'finished',
    })
    return claim.body.job_id
  }

  it(`gives ${RUNNERS} runners ${RUNNERS} different jobs while polls go on`, async () => {
    const bench = await startBench({ protocol })
    bench.sandbox.enqueue(Array.from({ length: RUNNERS }, () => job(labels, 'echo "$SLIPWAY_NONCE"')))
    const runners = await mint(bench, RUNNERS)
    const polls = Promise.all(
      Array.from({ length: 20 }, () =>
        bench.call('POST', '/provisioners/demand/poll', pollBody([template(labels, 500)])),
      ),
    )
    const jobIds = await Promise.all(runners.map(({ token }) => runOne(bench, token)))
    expect((await polls).flatMap((answer) => answer.body.reservations)).toEqual([])
    expect(new Set(jobIds).size).toBe(RUNNERS)
    await bench.sandbox.waitUntilIdle(AbortSignal.timeout(PATIENCE_MS))
    const jobs = bench.sandbox.jobs()
    expect(jobs.every((each) => each.state === 'finished' && each.nonceSeen)).toBe(true)
    expect(new Set(jobs.map((each) => (each.state === 'finished' ? each.runnerId : null))).size).toBe(RUNNERS)
    await bench.sandbox.close()
  })

  it('inv. 1: lets exactly one of many redeem a single-use token', async () => {
    const bench = await startBench({ protocol })
    bench.sandbox.enqueue(Array.from({ length: 10 }, () => job(labels)))
    const [runner] = await mint(bench, 10)
    const token = await enter(bench, runner!.token)
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => bench.call('POST', '/runners/register', { labels }, { token })),
    )
    expect(statuses(answers)).toEqual([200, 409, 409, 409, 409])
    const session = answers.find(({ status }) => status === 200)!.body.session_token
    const claims = await Promise.all(
      Array.from({ length: 10 }, () => bench.call('POST', '/runners/jobs/request', {}, { token: session })),
    )
    expect(claims.filter(({ status }) => status === 200)).toHaveLength(1)
    await bench.sandbox.close()
  })
})

describe('many exchanges at once on v2', () => {
  it('inv. 1: let exactly one of many redeem a bootstrap token', async () => {
    const bench = await startBench({ protocol: 'v2' })
    const minted = await bench.call('POST', '/provisioners/runner-instances/batch', {
      runner_instances: [{}],
    })
    const body = { bootstrap_token: minted.body.runner_instances[0]!.bootstrap_token }
    const exchange = () => bench.call('POST', '/runner-enrollment/exchange', body, { token: null })
    const answers = await Promise.all(Array.from({ length: 30 }, exchange))
    expect(statuses(answers)).toEqual([200, ...Array.from({ length: 29 }, () => 401)])
    await bench.sandbox.close()
  })
})

function statuses(answers: readonly { status: number }[]): number[] {
  return answers.map(({ status }) => status).toSorted((a, b) => a - b)
}
