import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startSandbox } from '../../sandbox/index.ts'
import { openJournal } from '../../sandbox/journal.ts'
import { enqueueJobs } from '../../sandbox/rules/jobs.ts'
import { World } from '../../sandbox/rules/world.ts'
import { call, job, pollBody, START_MS, startBench, template, TOKEN } from './client.ts'
import { eventually } from '../support/eventually.ts'

let dataDir: string
const children = new Set<ChildProcess>()

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sandbox-'))
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  rmSync(dataDir, { recursive: true, force: true })
})

const file = (): string => join(dataDir, 'sandbox.journal')

/** `wrapper` is a shell script that ends by running its arguments. */
async function startProcess(
  protocol: 'v1' | 'v2',
  wrapper = 'exec "$@"',
): Promise<{ url: string; kill(): Promise<void> }> {
  const program = join(import.meta.dirname, 'server-process.ts')
  const command = [process.execPath, program, protocol, dataDir, TOKEN.reveal()]
  const child = spawn('sh', ['-c', wrapper, 'sh', ...command], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await once(child, 'exit')
    children.delete(child)
  }
  return { url, kill }
}

/** Every kind of token that the flow hands out, after a job was claimed. */
async function claimOneJob(url: string, protocol: 'v1' | 'v2'): Promise<{ lease: string; tokens: string[] }> {
  const queued = await call(url, 'POST', '/sandbox/jobs', {
    jobs: [job(['linux'], 'echo 1'), job(['linux'], 'echo 2')],
  })
  expect(queued.status).toBe(201)
  const poll = await call(url, 'POST', '/provisioners/demand/poll', pollBody([template(['linux'], 5)]))
  const reservation = poll.body.reservations[0]!.reservation_id
  const tokens: string[] = []
  const labels = ['linux']
  let registration: string
  if (protocol === 'v1') {
    const body = { reservation_id: reservation, runner_instances: [{ provider_runner_id: 'r1' }] }
    const minted = await call(url, 'POST', '/provisioners/runner-registration-tokens/batch', body)
    registration = minted.body.tokens[0]!.registration_token
  } else {
    const body = { runner_instances: [{ reservation_id: reservation }] }
    const [instance] = (await call(url, 'POST', '/provisioners/runner-instances/batch', body)).body
      .runner_instances
    const exchange = { bootstrap_token: instance!.bootstrap_token }
    const control = (await call(url, 'POST', '/runner-enrollment/exchange', exchange)).body
      .control_session_token
    const who = { labels, provider_kind: 'docker', protocol_version: 1 }
    registration = (await call(url, 'POST', '/runner-control/enrollment', who, { token: control })).body
      .activation_token
    tokens.push(instance!.bootstrap_token, control)
  }
  const session = (await call(url, 'POST', '/runners/register', { labels }, { token: registration })).body
    .session_token
  const claim = await call(url, 'POST', '/runners/jobs/request', {}, { token: session })
  const lease = claim.body.lease_token
  return { lease, tokens: [...tokens, registration, session, lease] }
}

describe.each(['v1', 'v2'] as const)('the journal of a %s sandbox', (protocol) => {
  it('brings reservations, jobs and sessions back after a SIGKILL, twice', async () => {
    let server = await startProcess(protocol)
    const { lease } = await claimOneJob(server.url, protocol)
    const before = (await call(server.url, 'GET', '/sandbox/jobs')).body
    const me = (await call(server.url, 'GET', '/provisioners/me')).body
    await server.kill()

    server = await startProcess(protocol)
    expect((await call(server.url, 'GET', '/sandbox/jobs')).body).toEqual(before)
    expect((await call(server.url, 'GET', '/provisioners/me')).body).toEqual(me)
    const body = { exit_code: 0, output: before.jobs[0]!.nonce, interrupted: false }
    const done = await call(server.url, 'POST', '/runners/jobs/complete', body, { token: lease })
    expect([done.status, done.body]).toEqual([200, { state: 'finished' }])
    await server.kill()

    server = await startProcess(protocol)
    const jobs = (await call(server.url, 'GET', '/sandbox/jobs')).body.jobs
    expect(jobs.map((each) => each.state)).toEqual(['finished', 'queued'])
    expect(jobs[0]!.nonceSeen).toBe(true)
    await server.kill()
  })

  it('inv. 15: holds no token', async () => {
    const server = await startProcess(protocol)
    const { tokens } = await claimOneJob(server.url, protocol)
    await server.kill()
    const files = readdirSync(dataDir)
    expect(files).toEqual(['sandbox.journal'])
    const content = readFileSync(file(), 'utf8')
    expect(content).toContain('echo 1')
    for (const token of [TOKEN.reveal(), ...tokens]) {
      const secret = token.replace(/^sf_[a-z]+_/, '')
      for (const form of [
        secret,
        Buffer.from(token).toString('base64').slice(8, 40),
        Buffer.from(secret).toString('hex'),
      ]) {
        expect(content.includes(form)).toBe(false)
      }
    }
    expect(statSync(file()).mode & 0o077).toBe(0)
  })
})

describe('the journal', () => {
  const restart = () => startSandbox({ protocol: 'v2', dataDir, provisionerToken: TOKEN })
  const withJobs = async (count: number): Promise<string> => {
    const { sandbox } = await startBench({ protocol: 'v2', dataDir })
    for (let index = 0; index < count; index += 1) sandbox.enqueue([job(['linux'], `echo ${index}`)])
    await sandbox.close()
    return readFileSync(file(), 'utf8')
  }

  it('drops a last line that was cut short, wherever it was cut, and appends well after it', async () => {
    const whole = await withJobs(3)
    const lastLine = whole.length - whole.lastIndexOf('\n', whole.length - 2) - 1
    for (const cut of [1, 2, Math.floor(lastLine / 2), lastLine - 1]) {
      writeFileSync(file(), whole)
      truncateSync(file(), whole.length - cut)
      const sandbox = await restart()
      expect(sandbox.jobs().map((each) => each.command)).toEqual(['echo 0', 'echo 1'])
      sandbox.enqueue([job(['linux'], 'echo after')])
      await sandbox.close()
      const again = await restart()
      expect(again.jobs().map((each) => each.command)).toEqual(['echo 0', 'echo 1', 'echo after'])
      await again.close()
    }
  })

  it('refuses any other damage and says where it is', async () => {
    const whole = await withJobs(3)
    const middle = Math.floor(whole.length / 2)
    const damages = [
      whole.slice(0, middle) + (whole[middle] === 'x' ? 'y' : 'x') + whole.slice(middle + 1),
      whole.replace(/\n/, '\n\n'),
      whole.slice(10),
      `${whole}garbage\n`,
      '',
    ]
    for (const damaged of damages) {
      writeFileSync(file(), damaged)
      await expect(restart()).rejects.toMatchObject({
        code: 'sandbox-journal-corrupt',
        message: expect.stringMatching(/:\d+ is damaged/),
      })
    }
  })

  it('refuses the data of the other generation', async () => {
    await withJobs(1)
    await expect(startSandbox({ protocol: 'v1', dataDir })).rejects.toMatchObject({
      code: 'sandbox-journal-protocol',
    })
  })

  it('keeps a revoked token revoked, and lets a new token take its place', async () => {
    const { sandbox } = await startBench({ protocol: 'v2', dataDir })
    sandbox.revokeToken()
    await sandbox.close()
    const same = await restart()
    expect((await call(same.url, 'GET', '/provisioners/me')).body).toEqual({
      code: 'provisioner-token-revoked',
    })
    await same.close()
    const fresh = await startSandbox({ protocol: 'v2', dataDir })
    const token = fresh.token.reveal()
    expect((await call(fresh.url, 'GET', '/provisioners/me', undefined, { token })).status).toBe(200)
    expect((await call(fresh.url, 'GET', '/provisioners/me')).status).toBe(401)
    await fresh.close()
  })

  it('is rewritten when it has grown far beyond what it says', () => {
    const world = new World('v2', 60_000, 0)
    const journal = openJournal(dataDir, world)
    const [queued] = enqueueJobs(world, [job(['linux'], 'x'.repeat(30_000))], 0)
    let largest = 0
    for (let index = 0; index < 700; index += 1) {
      world.jobs.put(queued!)
      journal.commit(world)
      largest = Math.max(largest, statSync(file()).size)
    }
    expect(largest).toBeLessThan(17 * 1024 * 1024)
    expect(statSync(file()).size).toBeLessThan(largest / 2)
    journal.close()
    const again = new World('v2', 60_000, 0)
    openJournal(dataDir, again).close()
    expect([...again.jobs.values()]).toEqual([queued])
  })

  it('takes no change after its end', () => {
    const world = new World('v2', 60_000, 0)
    const journal = openJournal(dataDir, world)
    journal.close()
    enqueueJobs(world, [job(['linux'])], 0)
    expect(() => journal.commit(world)).toThrow(/closed/)
  })

  it('on a full disk keeps what was answered, and nothing of a change that could not be written', async () => {
    // A limit on the size of files stands for the disk: the line that no longer fits is written in part.
    const server = await startProcess('v2', 'trap "" XFSZ; ulimit -f 40; exec "$@"')
    const answers: number[] = []
    for (let index = 0; index < 6; index += 1) {
      const jobs = [job(['linux'], `echo ${index} ${'x'.repeat(6000)}`)]
      answers.push((await call(server.url, 'POST', '/sandbox/jobs', { jobs })).status)
    }
    await server.kill()
    const kept = answers.filter((status) => status === 201).length
    expect(answers).toEqual([...Array(kept).fill(201), ...Array(6 - kept).fill(500)])
    const sandbox = await restart()
    expect([kept > 0, kept < 6, sandbox.jobs().length]).toEqual([true, true, kept])
    await sandbox.close()
  })

  it('brings reported runners back, and starts the lease of a claimed job afresh', async () => {
    const first = await startBench({ protocol: 'v1', dataDir })
    await claimOneJob(first.sandbox.url, 'v1')
    const event = {
      provider_runner_id: 'r9',
      labels: ['linux'],
      state: 'running',
      reported_at: '2026-01-01T00:00:00Z',
    }
    await first.call('POST', '/provisioners/runner-instances/report', { events: [event] })
    await first.sandbox.close()
    let later = 0
    const second = await startBench({ protocol: 'v1', dataDir, now: () => START_MS + 3_600_000 + later })
    expect(second.sandbox.stats()).toMatchObject({ activeRunners: 1, jobs: { claimed: 1 } })
    later = 59_000
    await new Promise((resolve) => setTimeout(resolve, 1500)) // past a sweep of the leases
    expect(second.sandbox.stats().jobs.claimed).toBe(1)
    later = 60_000
    await eventually('the job is lost', () => second.sandbox.stats().jobs.lost === 1)
    await second.sandbox.close()
  })
})
