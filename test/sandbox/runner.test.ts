import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { demoRunnerFiles } from '../../sandbox/runner-files.ts'
import { type Sandbox, startSandbox } from '../../sandbox/index.ts'
import { call, job, pollBody, template, TOKEN } from './client.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { eventually } from '../support/eventually.ts'

let folder: string
const children = new Set<ChildProcess>()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runner-'))
  for (const { path, content } of demoRunnerFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

type Run = { child: ChildProcess; output: () => string; exitCode: Promise<number | null> }

function startRunner(env: Record<string, string>): Run {
  const child = spawn(process.execPath, [join(folder, 'main.mjs')], {
    env: { PATH: process.env['PATH'] ?? '', SHIPFOX_RUNNER_LABELS: 'linux', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exitCode = once(child, 'close').then(([code]) => code as number | null)
  return { child, output: () => output, exitCode }
}

/** What a provisioner does for one job; the one-time token's variable. */
async function mintRunner(
  url: string,
  protocol: 'v1' | 'v2',
  runnerId = 'r1',
): Promise<Record<string, string>> {
  const poll = await call(url, 'POST', '/provisioners/demand/poll', pollBody([template(['linux'], 5)]))
  const reservation = poll.body.reservations[0]!.reservation_id
  if (protocol === 'v1') {
    const body = { reservation_id: reservation, runner_instances: [{ provider_runner_id: runnerId }] }
    const minted = await call(url, 'POST', '/provisioners/runner-registration-tokens/batch', body)
    return { SHIPFOX_RUNNER_REGISTRATION_TOKEN: minted.body.tokens[0]!.registration_token }
  }
  const body = { runner_instances: [{ reservation_id: reservation }] }
  const [instance] = (await call(url, 'POST', '/provisioners/runner-instances/batch', body)).body
    .runner_instances
  const path = `/provisioners/runner-instances/${instance!.runner_instance_id}/provider-runner`
  await call(url, 'POST', path, { provider_runner_id: runnerId })
  return { SHIPFOX_RUNNER_BOOTSTRAP_TOKEN: instance!.bootstrap_token, SHIPFOX_RUNNER_PROVIDER_KIND: 'docker' }
}

describe.each(['v1', 'v2'] as const)('the demo runner on %s', (protocol) => {
  let sandbox: Sandbox

  beforeEach(async () => {
    sandbox = await startSandbox({ protocol, dataDir: null, provisionerToken: TOKEN, jobLeaseMs: 1000 })
  })
  afterEach(() => sandbox.close())

  const run = async (command: string, url = sandbox.url): Promise<Run & { token: string }> => {
    sandbox.enqueue([job(['linux'], command)])
    const env = await mintRunner(sandbox.url, protocol)
    return { ...startRunner({ SHIPFOX_API_URL: url, ...env }), token: Object.values(env)[0]! }
  }
  const onlyJob = () => sandbox.jobs()[0]!

  it('runs one job, proves it by the nonce and exits 0', async () => {
    const { exitCode, output } = await run('echo "$SLIPWAY_NONCE"')
    expect({ exitCode: await exitCode, output: output() }).toMatchObject({ exitCode: 0 })
    expect(onlyJob()).toMatchObject({ state: 'finished', runnerId: 'r1', exitCode: 0, nonceSeen: true })
    expect(output()).toContain(onlyJob().nonce)
  })

  it('exits 0 when only the job failed, and tells its exit code and output', async () => {
    const { exitCode } = await run('echo out; echo err >&2; exit 7')
    expect(await exitCode).toBe(0)
    expect(onlyJob()).toMatchObject({ state: 'failed', exitCode: 7, nonceSeen: false })
    expect((onlyJob() as { output: string }).output.split('\n').toSorted()).toEqual(['', 'err', 'out'])
  })

  it('X14: shows the job no token', async () => {
    const { exitCode, token } = await run('env')
    await exitCode
    const { output } = onlyJob() as { output: string }
    expect(output).toContain('SLIPWAY_NONCE=')
    expect(output).not.toContain(token)
    expect(output).not.toMatch(/sf_[a-z]+_/)
  })

  it('keeps the last 16 KiB of a long output', async () => {
    const { exitCode } = await run(
      'i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done; echo "$SLIPWAY_NONCE"',
    )
    expect(await exitCode).toBe(0)
    expect(onlyJob()).toMatchObject({ state: 'finished', nonceSeen: true })
    expect((onlyJob() as { output: string }).output).toHaveLength(16_384)
  })

  it('outlives the lease by its heartbeats', async () => {
    const { exitCode } = await run('sleep 3')
    expect(await exitCode).toBe(0)
    expect(onlyJob().state).toBe('finished')
  })

  it('ends the whole process group of the job, and does not wait for what it left behind', async () => {
    const { exitCode } = await run('sleep 300 & echo $!')
    expect(await exitCode).toBe(0)
    const pid = Number((onlyJob() as { output: string }).output)
    await eventually('the process is gone', () => !isRunning(pid))
  })

  it('on SIGTERM ends the job, tells so and exits 143', async () => {
    const { child, exitCode, output } = await run('trap "" INT; sleep 300 & echo $!; wait')
    await eventually('the job tells its process id', () => /^\d+$/m.test(output()))
    child.kill('SIGTERM')
    expect(await exitCode).toBe(143)
    expect(onlyJob()).toMatchObject({ state: 'failed', reason: 'the runner was stopped' })
    const pid = Number(/^\d+$/m.exec(output())?.[0])
    await eventually('the process is gone', () => !isRunning(pid))
  })

  it('on SIGTERM after a cancellation ends the job as cancelled', async () => {
    const { child, exitCode } = await run('sleep 300')
    await eventually('the job is claimed', () => onlyJob().state === 'claimed')
    sandbox.cancel(onlyJob().id)
    child.kill('SIGTERM')
    expect(await exitCode).toBe(143)
    expect(onlyJob()).toMatchObject({ state: 'cancelled', claim: { runnerId: 'r1' } })
  })

  it('killed without grace leaves a job that is lost when its lease ends', async () => {
    const { child, exitCode } = await run('exec sleep 5')
    await eventually('the job is claimed', () => onlyJob().state === 'claimed')
    child.kill('SIGKILL')
    await exitCode
    await eventually('the job is lost', () => onlyJob().state === 'lost')
  })

  it('tells its result even when the first replies are lost', async () => {
    const proxy = await startFaultProxy(sandbox.url)
    proxy.inject({ fault: { kind: 'lost-reply' }, path: /complete/, times: 2 })
    const { exitCode, output } = await run('echo "$SLIPWAY_NONCE"', proxy.url)
    expect({ exitCode: await exitCode, output: output() }).toMatchObject({ exitCode: 0 })
    expect(proxy.requests.filter(({ path }) => path.endsWith('/complete'))).toHaveLength(3)
    expect(onlyJob()).toMatchObject({ state: 'finished', nonceSeen: true })
    await proxy.close()
  })

  it('waits as a 429 asks, and never repeats a request whose reply was lost', async () => {
    const proxy = await startFaultProxy(sandbox.url)
    proxy.inject({
      fault: { kind: 'status', status: 429, code: 'rate-limited', headers: { 'retry-after': '1' } },
      path: /register/,
      times: 1,
    })
    proxy.inject({ fault: { kind: 'lost-reply' }, path: /register/, times: 1 })
    const { exitCode, output } = await run('true', proxy.url)
    expect(await exitCode).toBe(1)
    expect(output()).toMatch(/\/runners\/register failed/)
    expect(proxy.requests.filter(({ path }) => path.endsWith('/register'))).toHaveLength(2)
    await proxy.close()
  })

  it('exits 0 when no job comes in its time', async () => {
    const [queued] = sandbox.enqueue([job(['linux'])])
    const env = await mintRunner(sandbox.url, protocol)
    sandbox.cancel(queued!.id)
    const started = startRunner({
      SHIPFOX_API_URL: `${sandbox.url}/`,
      SHIPFOX_POLL_MAX_DURATION_MS: '600',
      ...env,
    })
    expect(await started.exitCode).toBe(0)
    expect(started.output()).toContain('no job came in time')
  })

  it('stops itself at the end of its lifetime', async () => {
    sandbox.enqueue([job(['linux'], 'sleep 300')])
    const env = await mintRunner(sandbox.url, protocol)
    const lifetime = { SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '5' }
    const started = startRunner({ SHIPFOX_API_URL: sandbox.url, ...lifetime, ...env })
    expect(await started.exitCode).toBe(143)
    expect(onlyJob()).toMatchObject({ state: 'failed', reason: 'the runner was stopped' })
  })

  it('exits 1 with the code of a refusal', async () => {
    const name = protocol === 'v1' ? 'REGISTRATION' : 'BOOTSTRAP'
    const token = { [`SHIPFOX_RUNNER_${name}_TOKEN`]: 'sf_ert_unknown' }
    const started = startRunner({ SHIPFOX_API_URL: sandbox.url, ...token })
    expect(await started.exitCode).toBe(1)
    expect(started.output()).toMatch(/refused .*: 401/)
    expect(started.output()).not.toContain('unknown')
  })
})

describe('the demo runner', () => {
  it.each([
    [{}, 'SHIPFOX_RUNNER_REGISTRATION_TOKEN'],
    [{ SHIPFOX_RUNNER_REGISTRATION_TOKEN: 'x' }, 'SHIPFOX_API_URL'],
    [{ SHIPFOX_RUNNER_REGISTRATION_TOKEN: 'x', SHIPFOX_API_URL: 'ftp://x' }, 'SHIPFOX_API_URL is "ftp://x"'],
    [
      {
        SHIPFOX_RUNNER_REGISTRATION_TOKEN: 'x',
        SHIPFOX_API_URL: 'http://x',
        SHIPFOX_POLL_MAX_DURATION_MS: '1.5',
      },
      'SHIPFOX_POLL_MAX_DURATION_MS is "1.5"',
    ],
  ])('exits 2 and names what is wrong in its environment (%j)', async (env, named) => {
    const started = startRunner(env)
    expect(await started.exitCode).toBe(2)
    expect(started.output()).toContain(named)
  })
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
