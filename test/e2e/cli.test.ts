import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../adapters/sqlite/index.ts'
import { type Sandbox, startSandbox } from '../../sandbox/index.ts'
import { newToken } from '../../sandbox/rules/tokens.ts'
import { type Env, openPlace, type Place, type Run } from './support.ts'
import { eventually } from '../support/eventually.ts'

/** Templates of the hosts that carry the tag `fast`. */
function yamlOf(maxConcurrency: number): string {
  return `templates:\n  small: { labels: [cli, small], image: demo-runner, cpu: 0.1, memory: 64MiB, max_concurrency: ${maxConcurrency}, hosts: [fast] }\n`
}

/** One hub on this machine, one host that is added by hand, and a person at the command line. */
describe('the command line with a hub on one machine', () => {
  let place: Place
  let sandbox: Sandbox
  let hub: Run
  let agent: Run | null = null
  let agentToken = ''
  const spoken: string[] = []

  /** Runs a command to its end. What it said is remembered, for the search for secrets. */
  async function say(...args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
    const run = place.slipway(args)
    const { code } = await run.end()
    if (args[0] !== 'hosts' || args[1] !== 'add') spoken.push(run.output)
    else spoken.push(run.stderr)
    return { code, out: run.stdout, err: run.stderr }
  }

  async function json<T = Readonly<Record<string, unknown>>>(...args: readonly string[]): Promise<T> {
    const { code, out, err } = await say(...args, '--json')
    expect([code, err]).toEqual([0, ''])
    return JSON.parse(out)
  }

  const hostState = async (): Promise<unknown> => {
    const { hosts } = await json<{ hosts: { host: string; state: string }[] }>('hosts', 'list')
    return hosts.find(({ host }) => host === 'second')?.state
  }

  function hubEnv(): Env {
    return {
      SHIPFOX_API_URL: sandbox.url,
      SHIPFOX_PROVISIONER_TOKEN: sandbox.token.reveal(),
      SLIPWAY_HUB_PORT: '0',
      SLIPWAY_LOG: 'json',
    }
  }

  beforeAll(async () => {
    place = await openPlace()
    sandbox = await startSandbox({ protocol: 'v2', dataDir: null, provisionerToken: newToken('provisioner') })
    await place.write('t.yaml', yamlOf(10))
    await place.write('narrow.yaml', yamlOf(2))
    await place.write('bad.yaml', yamlOf(1).replace('cpu: 0.1', 'cpu: none'))
  })
  afterAll(async () => {
    agent?.signal('SIGTERM')
    hub?.signal('SIGTERM')
    await place.close()
    await sandbox.close()
  })

  it('says what to do while no hub runs, and leaves nothing behind', async () => {
    for (const args of [
      ['hosts', 'list'],
      ['templates', 'list'],
      ['why', 'a'],
      ['runners', 'list'],
    ]) {
      const { code, out, err } = await say(...args)
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(
        /No hub with this state folder runs on this machine.*slipway hub.*--hub or SLIPWAY_API_URL/,
      )
      expect(err).not.toMatch(/^\s+at /m)
    }
  })

  it('finds a new hub by its socket, which this user alone can open', async () => {
    hub = place.slipway(['hub'], hubEnv())
    await hub.until('it listens', () => hub.events('hub.listening').length > 0)
    const folder = join(place.stateDir, 'hub')
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'api.sock'))).mode & 0o777).toBe(0o600)
    expect(await json('hosts', 'list')).toEqual({ hosts: [] })
    const { err } = await say('templates', 'list')
    expect(err).toContain('slipway templates apply')
  })

  it('doctor names what a new hub lacks, and exits 1', async () => {
    const { code, out } = await say('doctor')
    expect(code).toBe(1)
    expect(out).toMatch(/^ok +clock/m)
    expect(out).toMatch(/^FAIL +quota .*no host\n +→ .*slipway hosts add/m)
    expect(out).toMatch(/^FAIL +image .*no templates.*\n +→ slipway templates apply/m)
  })

  it('adds a host, whose agent comes online with the token that is shown once', async () => {
    const { code, out } = await say('hosts', 'add', 'second', '--tag', 'fast', '--tag', 'big')
    expect(code).toBe(0)
    const told = Object.fromEntries(
      [...out.matchAll(/(SLIPWAY_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
    )
    agentToken = told['SLIPWAY_AGENT_TOKEN'] ?? ''
    expect(agentToken).toMatch(/^sla_second_/)
    agent = place.slipway(['agent'], {
      ...told,
      SLIPWAY_STATE_DIR: join(place.path, 'agent-state'),
      SLIPWAY_ENGINE: 'process',
      SLIPWAY_LOG: 'json',
    })
    await eventually('the host is online', async () => (await hostState()) === 'online')
    const again = await say('hosts', 'add', 'second')
    expect(again.code).toBe(1)
    expect(again.err).toMatch(/Host second exists already/)
  })

  it('copies its state to a new file while it is at work, and never over another one', async () => {
    const copy = join(place.path, 'copy.db')
    const done = await json('hub', 'backup', copy)
    expect(done).toEqual({ file: copy, bytes: (await stat(copy)).size, database: expect.any(String) })
    const again = await say('hub', 'backup', copy)
    expect([again.code, again.out]).toEqual([1, ''])
    expect(again.err).toMatch(/copy\.db exists already.*Choose another name/)
    const second = await say('hub', 'backup', join(place.path, 'second.db'))
    expect(second.out).toMatch(/^Copied \S+hub\.db to \S+second\.db \(\d+ bytes\)\.\n$/)
    expect((await say('hub', 'backup', '--help')).out).toContain('To restore: stop the hub')
    const { store, close } = openSqliteStore(copy, { now: Date.now() })
    expect((await store.readFleet()).hosts).toMatchObject([{ id: 'second', tags: ['fast', 'big'] }])
    await close()
  })

  it('puts templates into force once somebody said yes, and tells each mistake with its place', async () => {
    const asked = await say('templates', 'apply', 't.yaml')
    expect(asked.code).toBe(1)
    expect(asked.err).toMatch(/nothing was changed\. Add --yes/)
    const bad = await say('templates', 'apply', 'bad.yaml', '--yes')
    expect([bad.code, bad.out]).toEqual([1, ''])
    expect(bad.err).toMatch(/bad\.yaml:2:\d+ templates\.small\.cpu/)
    const done = await say('templates', 'apply', 't.yaml', '--yes')
    expect(done.out).toMatch(/^\+ small: is new[\s\S]*Version 1 is in force: 1 template\.\n$/)
    expect((await say('templates', 'apply', 't.yaml')).out).toMatch(/^Nothing changed: version 1/)
    const narrow = await json('templates', 'apply', 'narrow.yaml', '--yes')
    expect(narrow).toMatchObject({ version: 2, difference: ['~ small: max_concurrency 10 → 2'] })
    expect(await json('templates', 'undo', '--yes')).toMatchObject({ version: 3, stored: true })
    const { out } = await say('templates', 'list')
    expect(out).toMatch(/^3 .*in force$[\s\S]*^2 [\s\S]*^1 [\s\S]*^small .*cli,small/m)
  })

  it('says why a job waits, and where one would start', async () => {
    const would = await eventually('the image is told', async () => {
      const { out } = await say('why', 'cli', 'small')
      return /would start at once, from template small on host second/.test(out)
    })
    expect(would).toBe(true)
    const { sources } = await json<{ sources: unknown[] }>('why', 'cli,gpu')
    expect(sources).toMatchObject([{ source: 'shipfox', start: null, code: 'no-template' }])
  })

  it('shows jobs that ran as runners, and each of them with its times', async () => {
    sandbox.enqueue([
      { labels: ['cli', 'small'], command: 'echo one' },
      { labels: ['cli', 'small'], command: 'echo two' },
    ])
    const list = () =>
      json<{ runners: { runner: string; outcome: string }[] }>('runners', 'list', '--state', 'gone')
    const runners = await eventually('both have ended', async () => {
      const found = (await list()).runners
      return found.length === 2 && found
    })
    expect(runners.map(({ outcome }) => outcome)).toEqual(['finished', 'finished'])
    const { code, out } = await say('runners', 'show', runners[0]!.runner)
    expect(code).toBe(0)
    expect(out).toMatch(/^host +second$/m)
    expect(out).toMatch(/a slot was claimed on host second\n.*its container started\n.*it ended, finished/)
    expect((await say('runners', 'show', 'x')).err).toMatch(/not a runner id/)
    expect((await say('doctor')).out).toMatch(/^ok +quota .*1 of 1 hosts accept runners/m)
  })

  it('X2: removes a host, whose agent is refused from then on', async () => {
    const { code, out } = await say('hosts', 'remove', 'second', '--yes')
    expect([code, out]).toEqual([0, 'Host second is removed.\n'])
    expect(await hostState()).toBeUndefined()
    await eventually('the hub refuses its token', () => {
      return hub.events('agent.refused').length > 0 || (agent?.ending ?? null) !== null
    })
    expect((await say('hosts', 'remove', 'second', '--yes')).err).toMatch(/There is no host second/)
  })

  it('X18, X27: no token stands anywhere but where it was asked for, and every change in the log', async () => {
    const files = [...(await place.files())].filter(([path]) => path.startsWith('.slipway/'))
    const everything = [...spoken, hub.output, agent?.output ?? '', ...files.map(([, text]) => text)].join(
      '\n',
    )
    expect(everything.length).toBeGreaterThan(1_000)
    for (const secret of [agentToken, sandbox.token.reveal()]) {
      for (const spelling of [
        secret,
        secret.slice(-43),
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      ])
        expect(everything.includes(spelling)).toBe(false)
    }
    const audits = hub.lines().filter(({ event }) => event.startsWith('audit.'))
    expect(audits.map(({ event }) => event)).toEqual([
      'audit.host-added',
      'audit.templates-stored',
      'audit.templates-stored',
      'audit.templates-stored',
      'audit.host-removed',
    ])
    expect(audits.every(({ by }) => /^local:\w+/.test(String(by)))).toBe(true)
  })

  it('goes on by what is stored when the hub starts again; a file in its environment wins, and apply says so', async () => {
    hub.signal('SIGTERM')
    await hub.end()
    hub = place.slipway(['hub'], hubEnv())
    await hub.until('it listens', () => hub.events('hub.listening').length > 0)
    expect(await json('templates', 'list')).toMatchObject({ version: 3, fixedBy: null })
    hub.signal('SIGTERM')
    await hub.end()
    const file = join(place.path, 'narrow.yaml')
    hub = place.slipway(['hub'], { ...hubEnv(), SHIPFOX_PROVISIONER_TEMPLATES_FILE: file })
    await hub.until('it listens', () => hub.events('hub.listening').length > 0)
    const refused = await say('templates', 'apply', 't.yaml', '--yes')
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(`they come from ${file} (SHIPFOX_PROVISIONER_TEMPLATES_FILE)`)
    const list = await json<{ templates: unknown[] }>('templates', 'list')
    expect(list.templates).toMatchObject([{ key: 'small', maxConcurrency: 2 }])
    const secret = await say('secret', 'set', 'shipfox')
    expect(secret.err).toContain('SHIPFOX_PROVISIONER_TOKEN')
  })
})
