import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureDocker } from '../../../cli/setup/docker.ts'
import type { DockerState, EnsureDockerInput } from '../../../cli/setup/docker.ts'
import { pingDocker } from '../../../cli/setup/docker-ping.ts'
import { createFakeMachine } from '../../bootstrap/fake-machine.ts'
import type { FakeMachine } from '../../bootstrap/fake-machine.ts'

const INSTALL = 'apt-get install -y --no-install-recommends docker.io iptables'
const TIMEOUTS = { engineMs: 15_000, aptLockMs: 15_000 }

let machine: FakeMachine
let said: string[]

beforeEach(async () => {
  machine = await createFakeMachine()
  said = []
})
afterEach(async () => machine.remove())

function ensure(changes: Partial<EnsureDockerInput> = {}): Promise<DockerState> {
  return ensureDocker({
    env: machine.env,
    isTTY: false,
    ask: async () => expect.fail('nobody may be asked'),
    print: (line) => said.push(line),
    places: machine.places,
    timeouts: TIMEOUTS,
    ...changes,
  })
}

describe('a Docker Engine', () => {
  it('of this machine is found', async () => {
    const state = await ensureDocker({
      env: process.env,
      isTTY: false,
      ask: async () => false,
      print: (line) => said.push(line),
    })
    expect(state.state).toBe('ready')
    expect(said).toEqual([])
  })

  it('is installed, started and left running where there is none; the second time it is simply there', async () => {
    const first = await ensure()
    expect(first).toEqual({
      state: 'ready',
      host: `unix://${machine.places.socket}`,
      startedPid: expect.any(Number),
    })
    expect(machine.calls()).toEqual([INSTALL, 'apt-get update', INSTALL, 'dockerd'])
    expect(said.join('\n')).toMatch(/install the package docker\.io[\s\S]*and keeps running; its log is/)

    expect(await ensure()).toEqual({ state: 'ready', host: `unix://${machine.places.socket}` })
    expect(machine.calls()).toHaveLength(4)
  })

  it('waits for a held apt lock', async () => {
    await machine.holdAptLock(1)
    expect((await ensure()).state).toBe('ready')
    expect(machine.calls()).toEqual([INSTALL, INSTALL, 'apt-get update', INSTALL, 'dockerd'])
    expect(said).toContain('waiting for another process that is installing packages')
  })

  it('is given up when the apt lock stays held, with what apt said', async () => {
    await machine.holdAptLock(1_000)
    const state = await ensure({ timeouts: { ...TIMEOUTS, aptLockMs: 0 } })
    expect(state).toMatchObject({
      state: 'unavailable',
      reason: expect.stringContaining('Could not get lock'),
    })
    expect(machine.calls()).not.toContain('dockerd')
  })

  it('that its package starts by itself is not started twice', async () => {
    const apt =
      '#!/bin/sh\ncd "$(dirname "$0")"\n./good-dockerd > ../started.log 2>&1 &\nuntil [ -s ../docker.pid ]; do sleep 0.05; done\ncp good-dockerd dockerd\n'
    writeFileSync(join(machine.binFolder, 'apt-get'), apt, { mode: 0o755 })
    expect(await ensure()).toEqual({ state: 'ready', host: `unix://${machine.places.socket}` })
    expect(machine.calls()).toEqual(['dockerd'])
  })

  it('is given up when its package brings no engine', async () => {
    writeFileSync(join(machine.binFolder, 'apt-get'), '#!/bin/sh\n', { mode: 0o755 })
    expect(await ensure()).toMatchObject({
      reason: expect.stringContaining('the program `dockerd` is still missing'),
    })
  })

  it('that is installed is started without apt', async () => {
    await machine.addEngine('good')
    expect((await ensure()).state).toBe('ready')
    expect(machine.calls()).toEqual(['dockerd'])
  })

  it('that ends at once is reported with the end of its log', async () => {
    await machine.addEngine('broken')
    const state = await ensure()
    expect(state).toMatchObject({
      state: 'unavailable',
      reason: expect.stringContaining('failed to mount overlay'),
    })
  })

  it('is started through systemd where that is the init system', async () => {
    await machine.addEngine('good')
    mkdirSync(machine.places.systemdFolder)
    // The service holds the output of its starter open, which must not keep the starter waiting.
    const systemctl = '#!/bin/sh\ncd "$(dirname "$0")"\necho "systemctl $*" >> ../calls\n./good-dockerd &\n'
    writeFileSync(join(machine.binFolder, 'systemctl'), systemctl, { mode: 0o755 })
    expect(await ensure()).toEqual({ state: 'ready', host: `unix://${machine.places.socket}` })
    expect(machine.calls()).toEqual(['systemctl start docker', 'dockerd'])
  })

  it('is started over the socket and pid file of one that was killed', async () => {
    await machine.addEngine('good')
    writeFileSync(machine.places.socket, '')
    writeFileSync(machine.places.pidFile, '4194304') // above the largest process number
    expect((await pingDocker(`unix://${machine.places.socket}`, {})).answer).toBe('refused')
    expect((await ensure()).state).toBe('ready')
    expect(machine.calls()).toEqual(['dockerd'])
  })

  it('that DOCKER_HOST names and nobody runs is never replaced', async () => {
    const env = { ...machine.env, DOCKER_HOST: 'tcp://127.0.0.1:1' }
    const state = await ensure({ env })
    expect(state).toMatchObject({ state: 'unavailable', reason: expect.stringContaining('DOCKER_HOST') })
    expect(machine.calls()).toEqual([])
  })

  it('is started only after a yes on a terminal', async () => {
    const asked: string[] = []
    const answer = (yes: boolean) => async (question: string) => asked.push(question) > 0 && yes
    const refused = await ensure({ isTTY: true, ask: answer(false) })
    expect(refused).toMatchObject({
      state: 'unavailable',
      howTo: expect.stringContaining('apt-get install docker.io'),
    })
    expect(machine.calls()).toEqual([])
    expect((await ensure({ isTTY: true, ask: answer(true) })).state).toBe('ready')
    expect(asked).toHaveLength(2)
  })

  it('is started without a question when the user said yes beforehand', async () => {
    expect((await ensure({ isTTY: true, assumeYes: true })).state).toBe('ready')
  })

  it('is started once by three processes at the same time', async () => {
    const states = await Promise.all([1, 2, 3].map(async () => ensureInProcess(machine)))
    expect(states.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready'])
    expect(states.filter((state) => 'startedPid' in state)).toHaveLength(1)
    expect(machine.calls()).toEqual([INSTALL, 'apt-get update', INSTALL, 'dockerd'])
    expect(existsSync(machine.places.lockFolder)).toBe(false)
  })
})

describe('a ping', () => {
  it('tells an engine from a socket that never answers and from another server', async () => {
    const silent = createServer(() => {}).listen(`${machine.places.socket}.silent`)
    const other = createServer((_, response) => response.writeHead(404).end()).listen(
      `${machine.places.socket}.other`,
    )
    const ping = async (kind: string) => pingDocker(`unix://${machine.places.socket}.${kind}`, {}, 300)
    expect(await ping('silent')).toEqual({ answer: 'silent', detail: 'no answer in time' })
    expect(await ping('other')).toEqual({ answer: 'unusable', detail: 'HTTP status 404' })
    expect(await ping('gone')).toEqual({ answer: 'absent', detail: 'ENOENT' })
    silent.closeAllConnections()
    for (const server of [silent, other]) server.close()
  })

  it('calls a malformed address unusable instead of failing', async () => {
    expect((await pingDocker('nonsense', {})).answer).toBe('unusable')
  })

  it('reports unreadable TLS certificates by their error', async () => {
    const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' }
    expect((await pingDocker('tcp://127.0.0.1:1', env)).answer).not.toBe('ok')
  })
})

/** Calls ensureDocker in a process of its own. */
async function ensureInProcess({ env, places }: FakeMachine): Promise<DockerState> {
  const module = new URL('../../../cli/setup/docker.ts', import.meta.url).href
  const program = `
    const { ensureDocker } = await import('${module}')
    const places = ${JSON.stringify(places)}
    const state = await ensureDocker({ env: process.env, isTTY: false, ask: null, print: () => {}, places })
    console.log(JSON.stringify(state))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await new Promise((resolve) => child.once('close', resolve))
  return JSON.parse(output) as DockerState
}
