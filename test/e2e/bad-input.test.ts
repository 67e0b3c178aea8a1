import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdir } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { SETTINGS_HELP } from '../../config/index.ts'
import { type Sandbox, startSandbox } from '../../sandbox/index.ts'
import { newToken } from '../../sandbox/rules/tokens.ts'
import { type Env, openPlace, type Place, type Run } from './support.ts'
import { templatesOf } from './world.ts'

/** Stands in every token that these tests set: no message may show it. */
const CANARY = 'CanaryCanaryCanaryCanaryCanaryCanaryCanary1'
const TOKEN = `sf_pt_${CANARY}`
/** A port that nothing listens on. */
const NOBODY = 'http://127.0.0.1:9'

let sandbox: Sandbox
let notShipfox: string

beforeAll(async () => {
  sandbox = await startSandbox({ protocol: 'v2', dataDir: null, provisionerToken: newToken('provisioner') })
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  notShipfox = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterAll(() => sandbox.close())

/** One clear error: non-zero, on stderr, no stack, no token, and nothing that goes on. */
async function expectError(run: Run, place: Place, lines: readonly RegExp[]): Promise<void> {
  const { code, signal } = await run.end()
  expect([signal, code !== null && code > 0 && code < 128]).toEqual([null, true])
  for (const line of lines) expect(run.stderr).toMatch(line)
  expect(run.stderr).not.toMatch(/^\s+at .*[:(]\d+/m)
  expect(run.stderr).not.toContain('Node.js v')
  expect(run.output).not.toContain(CANARY)
  expect(run.stdout.includes('error') || run.stdout.includes('slipway:')).toBe(false)
  expect(await place.processes()).toEqual([])
  expect(await place.containers()).toEqual([])
}

const FOREIGN: Env = { SHIPFOX_API_URL: NOBODY, SHIPFOX_PROVISIONER_TOKEN: TOKEN }

interface Case {
  readonly name: string
  readonly args?: readonly string[]
  readonly env?: Env
  readonly says: readonly RegExp[]
}

/** What is refused before anything is opened: it leaves no state at all. */
const REFUSED_AT_ONCE: readonly Case[] = [
  {
    name: 'several settings at once, each told in a line of its own',
    env: {
      SHIPFOX_PROVISIONER_MAX_RESERVATIONS: '1.5',
      SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS: '30s',
      SHIPFOX_PROVISIONER_REGISTRATION_TOKEN_BATCH_SIZE: '1001',
      SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '0',
      SHIPFOX_PROVISIONER_DOCKER_NETWORK: 'host',
      SLIPWAY_ENGINE: 'podman',
    },
    says: [
      /^.*MAX_RESERVATIONS.*"1\.5".*whole number from 0 to 1000.*$/m,
      /^.*POLL_WAIT_SECONDS.*"30s".*whole number from 0 to.*$/m,
      /^.*REGISTRATION_TOKEN_BATCH_SIZE.*"1001".*from 1 to 1000.*$/m,
      /^.*RUNNER_MAX_LIFETIME_SECONDS.*"0".*from 1 to.*$/m,
      /^.*DOCKER_NETWORK.*$/m,
      /^.*SLIPWAY_ENGINE.*docker or process.*$/m,
    ],
  },
  {
    name: 'a registration token for hand-started runners in place of a provisioner token',
    env: {
      ...FOREIGN,
      SHIPFOX_PROVISIONER_TOKEN: `sf_mrt_${CANARY}`,
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'x',
    },
    says: [/SHIPFOX_PROVISIONER_TOKEN.*sf_mrt_….*sf_pt_/],
  },
  {
    name: 'an ephemeral registration token in place of a provisioner token',
    env: {
      ...FOREIGN,
      SHIPFOX_PROVISIONER_TOKEN: `sf_ert_${CANARY}`,
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'x',
    },
    says: [/SHIPFOX_PROVISIONER_TOKEN.*sf_ert_….*sf_pt_/],
  },
  {
    name: 'a provisioner token that was cut when it was copied',
    env: { ...FOREIGN, SHIPFOX_PROVISIONER_TOKEN: `${TOKEN}x`, SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'x' },
    says: [/SHIPFOX_PROVISIONER_TOKEN.*damaged.*sf_pt_/],
  },
  {
    name: 'an API without a token or templates: both are named',
    env: { SHIPFOX_API_URL: NOBODY },
    says: [/SHIPFOX_PROVISIONER_TOKEN.*not set/, /SHIPFOX_PROVISIONER_TEMPLATES_FILE.*not set/],
  },
  {
    name: 'an API URL that holds a password',
    env: {
      ...FOREIGN,
      SHIPFOX_API_URL: `https://me:${CANARY}@shipfox.example`,
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'x',
    },
    says: [/SHIPFOX_API_URL.*password/],
  },
  {
    name: '--demo-jobs with a real source',
    args: ['start', '--demo-jobs', '3'],
    env: { ...FOREIGN, SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'x' },
    says: [/--demo-jobs.*SHIPFOX_API_URL/],
  },
  {
    name: '--demo-jobs that is no number',
    args: ['start', '--demo-jobs', 'x'],
    says: [/--demo-jobs.*'x'.*whole number/],
  },
  {
    name: 'a generation that there is not',
    args: ['start', '--protocol', 'v3'],
    says: [/--protocol.*'v3'.*v1, v2/],
  },
  {
    name: 'an unknown option',
    args: ['start', '--until-idel'],
    says: [/unknown option '--until-idel'/, /--until-idle/],
  },
  { name: 'an unknown command', args: ['strat'], says: [/unknown command 'strat'/, /start/] },
  {
    name: 'an agent without its hub and token',
    args: ['agent'],
    says: [/SLIPWAY_HUB_URL.*not set/, /SLIPWAY_AGENT_TOKEN.*not set/],
  },
  {
    name: 'a hub without a source',
    args: ['hub'],
    says: [/SHIPFOX_API_URL.*SHIPFOX_PROVISIONER_TOKEN.*SHIPFOX_PROVISIONER_TEMPLATES_FILE/],
  },
  {
    name: 'a templates file that is not there',
    args: ['templates', 'validate', 'nowhere.yaml'],
    says: [/nowhere\.yaml.*ENOENT/],
  },
]

describe.concurrent('a mistake in what was set or typed is one clear error, and nothing is left behind', () => {
  it.for(REFUSED_AT_ONCE)(
    '$name',
    async ({ args = ['start'], env = {}, says }, { onTestFinished: atEnd }) => {
      const place = await openPlace()
      atEnd(() => place.close())
      await expectError(place.slipway(args, env), place, says)
      expect(await readdir(place.path)).toEqual([])
    },
  )
})

describe('a mistake that shows only when things are opened', () => {
  let place: Place

  beforeEach(async () => {
    place = await openPlace()
  })
  afterEach(() => place.close())

  it('is one clear error each, and the state folder serves the next run', async () => {
    const templates = await place.write('templates.yaml', templatesOf('slipway-no-such-image:none', ['x']))
    const known: Env = {
      SHIPFOX_API_URL: sandbox.url,
      SHIPFOX_PROVISIONER_TOKEN: sandbox.token.reveal(),
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: templates,
    }
    const secret = sandbox.token.reveal()
    const start = async (env: Env, says: readonly RegExp[], args: readonly string[] = ['start']) => {
      const run = place.slipway(args, { ...known, ...env })
      await expectError(run, place, says)
      expect(run.output).not.toContain(secret)
    }
    await start({ SHIPFOX_PROVISIONER_TOKEN: TOKEN }, [/401 unauthorized.*SHIPFOX_PROVISIONER_TOKEN/])
    await start({ SHIPFOX_PROVISIONER_TOKEN: TOKEN }, [/401 unauthorized/], ['hub'])
    await start({ SHIPFOX_API_URL: NOBODY }, [/127\.0\.0\.1:9.*ECONNREFUSED/])
    await start({ SHIPFOX_API_URL: notShipfox }, [/SHIPFOX_API_URL is the URL of the Shipfox API/])
    await start({ SHIPFOX_API_URL: `${sandbox.url}/wrong` }, [/404 not-found.*SHIPFOX_API_URL/])
    await start({ SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'nowhere.yaml' }, [
      /nowhere\.yaml.*SHIPFOX_PROVISIONER_TEMPLATES_FILE/,
    ])
    await start({}, [/Image "slipway-no-such-image:none" of template x .*cannot be pulled/])
    await start({ SHIPFOX_PROVISIONER_DOCKER_HOST: 'unix:///nowhere/docker.sock' }, [/Docker Engine/])

    const run = place.slipway(['start', '--demo-jobs', '2', '--until-idle', '--json'], {
      SLIPWAY_ENGINE: 'process',
    })
    expect(await run.end()).toEqual({ code: 0, signal: null })
    expect(run.summary).toMatchObject({ jobs: 2, finished: 2 })
  })

  it('a port that is taken is one clear error', async () => {
    const args = ['sandbox', '--port', String(sandbox.port)]
    // The engine's bridge has ports of its own: there it is the first sandbox that is in the way.
    const first = place.slipway(args)
    await first.until('the first listens', () => first.stdout.includes('SHIPFOX_PROVISIONER_TOKEN'))
    const other = await openPlace()
    onTestFinished(() => other.close())
    await expectError(other.slipway(args), other, [/can't listen on .*EADDRINUSE.*another port/])
    first.signal('SIGTERM')
    expect(await first.end()).toEqual({ code: 0, signal: null })
  })
})

describe('slipway hub', () => {
  it('whose port is taken ends with one clear error, and leaves its folder to the next', async () => {
    const place = await openPlace()
    onTestFinished(() => place.close())
    const templates = await place.write('templates.yaml', templatesOf('image:1', ['x']))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
    const { port } = server.address() as AddressInfo
    const env = {
      SHIPFOX_API_URL: sandbox.url,
      SHIPFOX_PROVISIONER_TOKEN: sandbox.token.reveal(),
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: templates,
      SLIPWAY_HUB_PORT: String(port),
    }
    await expectError(place.slipway(['hub'], env), place, [/EADDRINUSE.*SLIPWAY_HUB_PORT/s])
    await new Promise((resolve) => server.close(resolve))
    const next = place.slipway(['hub'], { ...env, SLIPWAY_LOG: 'json' })
    await next.until('it listens', () => next.events('hub.listening')[0])
    next.signal('SIGTERM')
    expect(await next.end()).toEqual({ code: 0, signal: null })
  })
})

describe('slipway templates validate', () => {
  it('tells every mistake in a line of its own, with its file, line and column', async () => {
    const place = await openPlace()
    onTestFinished(() => place.close())
    const lines = [
      'templates:',
      '  one:',
      '    labels: [docker, "two words"]',
      '    image: "a:b"',
      '    cpu: -1',
      '    memory: 2 lightyears',
      '    max_concurrency: 1.5',
      '    isolaton: runc',
    ]
    await place.write('bad.yaml', `${lines.join('\n')}\n`)
    const run = place.slipway(['templates', 'validate', 'bad.yaml'])
    await expectError(run, place, [])
    const told = run.stderr.split('\n').flatMap((line) => /bad\.yaml:(\d+):(\d+)/.exec(line) ?? [])
    expect(told.filter((part) => part.startsWith('bad.yaml'))).toEqual([
      'bad.yaml:3:22',
      'bad.yaml:5:10',
      'bad.yaml:6:13',
      'bad.yaml:7:22',
      'bad.yaml:8:5',
    ])
    expect(run.stderr).toMatch(/isolaton.*isolation/)
    expect(run.stdout).toBe('')
  })

  it('prints what a good file expands to, also as JSON', async () => {
    const place = await openPlace()
    onTestFinished(() => place.close())
    await place.write('good.yaml', templatesOf('a:b', ['one', 'two']))
    const [text, json] = [[], ['--json']].map((flags) =>
      place.slipway(['templates', 'validate', 'good.yaml', ...flags]),
    )
    expect(await text!.end()).toEqual({ code: 0, signal: null })
    expect(await json!.end()).toEqual({ code: 0, signal: null })
    expect(text!.stdout).toMatch(/one[\s\S]*two/)
    expect(JSON.stringify(JSON.parse(json!.stdout))).toMatch(/"one"[\s\S]*"two"/)
  })
})

describe.concurrent('slipway --help', () => {
  const variables = (...prefixes: string[]) =>
    SETTINGS_HELP.map(({ name }) => name).filter((name) => prefixes.some((prefix) => name.startsWith(prefix)))

  it.for([
    {
      args: ['--help'],
      mentions: [
        'start',
        'hub',
        'agent',
        'sandbox',
        'templates',
        'hosts',
        'runners',
        'secret',
        'why',
        'doctor',
        '--version',
      ],
    },
    {
      args: ['start', '--help'],
      mentions: [
        '--demo-jobs',
        '--until-idle',
        '--json',
        '--yes',
        '--protocol',
        ...variables('SHIPFOX_', 'SLIPWAY_ENGINE'),
      ],
    },
    {
      args: ['hub', '--help'],
      mentions: variables('SHIPFOX_API', 'SHIPFOX_PROVISIONER_TOKEN', 'SLIPWAY_HUB_PORT', 'SLIPWAY_LOCAL'),
    },
    {
      args: ['agent', '--help'],
      mentions: [
        '--yes',
        ...variables('SLIPWAY_HUB_URL', 'SLIPWAY_AGENT_TOKEN', 'SHIPFOX_PROVISIONER_DOCKER'),
      ],
    },
    { args: ['sandbox', '--help'], mentions: ['--port', '--demo-jobs', '--protocol'] },
    { args: ['templates', '--help'], mentions: ['validate', 'apply', 'list', 'undo'] },
    {
      args: ['templates', 'apply', '--help'],
      mentions: ['--yes', '--json', '--hub', 'SLIPWAY_API_URL', 'Examples'],
    },
    { args: ['hosts', 'add', '--help'], mentions: ['--tag', '--json', '--hub', 'Examples'] },
    { args: ['runners', 'list', '--help'], mentions: ['--state', '--limit', '--after', 'Examples'] },
    { args: ['secret', 'set', '--help'], mentions: ['stdin', 'never from the command line', 'Examples'] },
    { args: ['why', '--help'], mentions: ['labels', 'Examples'] },
    { args: ['doctor', '--help'], mentions: ['FAIL', '--json', 'Examples'] },
    { args: ['templates', 'validate', '--help'], mentions: ['--json', '<file>'] },
  ])('$args exits 0 and mentions what there is', async ({ args, mentions }, { onTestFinished: atEnd }) => {
    const place = await openPlace()
    atEnd(() => place.close())
    const run = place.slipway(args)
    expect(await run.end()).toEqual({ code: 0, signal: null })
    expect(run.stderr).toBe('')
    expect(mentions.filter((word) => !run.stdout.includes(word))).toEqual([])
    expect(await readdir(place.path)).toEqual([])
  })

  it('alone is an error that shows it', async ({ onTestFinished: atEnd }) => {
    const place = await openPlace()
    atEnd(() => place.close())
    const run = place.slipway([])
    expect((await run.end()).code).toBe(1)
    expect(run.stderr).toMatch(/Usage: slipway/)
  })
})
