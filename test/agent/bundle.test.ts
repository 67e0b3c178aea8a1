import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentBundle, bundleAgent } from '../../bin/agent/bundle.ts'
import { SMALL_FLAGS } from '../../bin/agent/run-small.ts'
import { readVersion } from '../../platform/version.ts'
import { eventually } from '../support/eventually.ts'

/** Far from what it has, far below what one of the packages left out would add. */
const BYTES_MAX = 600_000

let folder: string
let file: string
let bundle: AgentBundle

beforeAll(async () => {
  // No package can be found from here.
  folder = await mkdtemp(join(tmpdir(), 'slipway-bundle-'))
  file = join(folder, 'slipway-agent.mjs')
  bundle = await bundleAgent(file)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Env = Readonly<Record<string, string>>

function start(
  args: readonly string[],
  { env = {}, flags = [] }: { env?: Env; flags?: readonly string[] } = {},
) {
  const child = spawn(process.execPath, [...flags, file, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return { child, said, ended }
}

async function run(args: readonly string[], env: Env = {}) {
  const { said, ended } = start(args, { env })
  return { ...(await ended), ...said }
}

const TOKEN = 'a-token-of-this-test-that-is-long-enough'

/** Arguments of an agent that has tried a hub which drops every connection, and how it ended when it was told to. */
async function serveNobody(flags: readonly string[]) {
  const door = createServer((socket) => socket.destroy())
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const { port } = door.address() as AddressInfo
  const env = {
    SLIPWAY_HUB_URL: `ws://127.0.0.1:${port}`,
    SLIPWAY_AGENT_TOKEN: TOKEN,
    SLIPWAY_STATE_DIR: await mkdtemp(join(folder, 'state-')),
    DOCKER_HOST: `unix://${join(folder, 'no.sock')}`,
  }
  const { child, said, ended } = start([], { env, flags })
  try {
    await eventually('it has tried the hub', () => said.stdout.includes('agent.disconnected'))
    const command = await readFile(`/proc/${child.pid}/cmdline`, 'utf8')
    child.kill('SIGTERM')
    return { args: command.split('\0').slice(1, -1), ending: await ended, ...said }
  } finally {
    child.kill('SIGKILL')
    door.close()
    await rm(env.SLIPWAY_STATE_DIR, { recursive: true })
  }
}

describe("the agent's bundle", () => {
  it('is one small file', async () => {
    expect(await readdir(folder)).toEqual(['slipway-agent.mjs'])
    expect(bundle.bytes).toBeLessThan(BYTES_MAX)
    expect((await readFile(file)).byteLength).toBe(bundle.bytes)
  })

  it('holds the packages that an agent needs, and no other', () => {
    const packages = bundle.inputs.flatMap(
      (path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    )
    expect([...new Set(packages)].toSorted()).toEqual([
      'debug',
      'docker-modem',
      'dockerode',
      'has-flag',
      'inherits',
      'ms',
      'readable-stream',
      'safe-buffer',
      'split-ca',
      'string_decoder',
      'supports-color',
      'util-deprecate',
      'ws',
      'zod',
    ])
  })

  it('holds one language of zod, and nothing of the hub', () => {
    const locales = bundle.inputs.filter((path) => path.includes('zod') && path.includes('/locales/'))
    expect(locales.map((path) => path.split('/').at(-1))).toEqual(['en.js'])
    const foreign =
      /^(adapters\/(api-gateway|dynamodb|memory|shipfox)|lambdas|lib|core\/(flows|plan)|config\/templates|local\/(sandbox|demo|gateway))\//
    expect(bundle.inputs.filter((path) => foreign.test(path))).toEqual([])
  })

  it('tells its version and its variables, without any of them', async () => {
    expect(await run(['--version'])).toEqual({
      code: 0,
      signal: null,
      stdout: `${readVersion()}\n`,
      stderr: '',
    })
    const help = await run(['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('SLIPWAY_HUB_URL')
  })

  it('says in words what is wrong with how it was started', async () => {
    const unknown = await run(['--verbose'])
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toContain('--verbose')
    const unset = await run([])
    expect(unset).toMatchObject({ code: 1, stdout: '' })
    expect(unset.stderr).toMatch(/^slipway-agent: .*SLIPWAY_HUB_URL/)
    const plain = await run([], {
      SLIPWAY_HUB_URL: 'ws://127.0.0.1:1',
      SLIPWAY_AGENT_TOKEN: TOKEN,
      SLIPWAY_ENGINE: 'process',
    })
    expect(plain).toMatchObject({ code: 1, stdout: '' })
    expect(plain.stderr).toMatch(/^slipway-agent: .*SLIPWAY_ENGINE/)
    for (const { stderr } of [unknown, unset, plain]) expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('waits for a hub and an engine that are away, in a process of small V8, and ends cleanly when told to', async () => {
    const { args, ending, stdout, stderr } = await serveNobody([])
    expect(args).toEqual([...SMALL_FLAGS, file])
    expect(ending).toEqual({ code: 0, signal: null })
    expect(stderr).toBe('')
    expect(stdout).toContain('agent.stopping')
    expect(stdout).not.toContain(TOKEN)
  })

  it('leaves flags alone that were given by hand', async () => {
    const { args, ending } = await serveNobody(['--max-semi-space-size=8'])
    expect(args).toEqual(['--max-semi-space-size=8', file])
    expect(ending).toEqual({ code: 0, signal: null })
  })
})
