import { describe, expect, it } from 'vitest'
import { MACHINE_PLACES, chooseDocker } from '../../../cli/setup/docker-facts.ts'
import { describeStart, planDocker } from '../../../cli/setup/docker-plan.ts'
import type { DockerAnswer, DockerFacts } from '../../../cli/setup/docker-plan.ts'

const SOCKET = 'unix:///var/run/docker.sock'

/** A root shell on a Debian system without an engine; each test changes what it is about. */
const BARE: DockerFacts = {
  choice: { from: 'default', hosts: [SOCKET] },
  answers: [{ host: SOCKET, answer: 'absent', detail: 'ENOENT' }],
  platform: 'linux',
  isRoot: true,
  hasSystemd: false,
  hasApt: true,
  hasEngine: false,
  enginePid: undefined,
}

function answering(answer: DockerAnswer, detail = ''): Pick<DockerFacts, 'answers'> {
  return { answers: [{ host: SOCKET, answer, detail }] }
}

function textOf(facts: DockerFacts): string {
  const action = planDocker(facts)
  return action.do === 'refuse' ? `${action.reason} ${action.howTo}` : `not refused: ${action.do}`
}

describe('the plan for a Docker Engine', () => {
  it('uses the first address that answers', () => {
    const answers: DockerFacts['answers'] = [
      { host: SOCKET, answer: 'denied', detail: '' },
      { host: 'unix:///run/user/7/docker.sock', answer: 'ok', detail: '' },
    ]
    expect(planDocker({ ...BARE, answers })).toEqual({ do: 'use', host: 'unix:///run/user/7/docker.sock' })
  })

  it('takes an SSH address at its word, since only the first call can tell', () => {
    const answers: DockerFacts['answers'] = [{ host: 'ssh://build', answer: 'unchecked', detail: '' }]
    expect(planDocker({ ...BARE, answers })).toEqual({ do: 'use', host: 'ssh://build' })
  })

  it('installs and starts an engine as root on an apt system', () => {
    expect(planDocker(BARE)).toEqual({ do: 'start', installs: true, by: 'dockerd' })
  })

  it('starts an installed engine without installing anything, also over a stale socket', () => {
    const start = { do: 'start', installs: false, by: 'dockerd' }
    expect(planDocker({ ...BARE, hasEngine: true })).toEqual(start)
    expect(planDocker({ ...BARE, hasEngine: true, hasApt: false, ...answering('refused') })).toEqual(start)
  })

  it('leaves the start to systemd where it is the init system', () => {
    expect(planDocker({ ...BARE, hasSystemd: true })).toEqual({
      do: 'start',
      installs: true,
      by: 'systemctl',
    })
  })

  it('waits for an engine that is about to answer', () => {
    expect(planDocker({ ...BARE, hasEngine: true, enginePid: 12 })).toEqual({ do: 'await', enginePid: 12 })
  })

  for (const answer of ['silent', 'unusable', 'denied'] as const) {
    it(`never starts a second engine beside one that is ${answer}`, () => {
      expect(planDocker({ ...BARE, hasEngine: true, ...answering(answer, 'why') }).do).toBe('refuse')
    })
  }

  it('never installs while the user names an engine, and says which variable does', () => {
    for (const from of ['SHIPFOX_PROVISIONER_DOCKER_HOST', 'DOCKER_HOST'] as const) {
      const text = textOf({ ...BARE, choice: { from, hosts: [SOCKET] }, ...answering('absent', 'ENOENT') })
      expect(text).toContain(`${from} is ${SOCKET}`)
      expect(text).toContain('ENOENT')
      expect(text).toContain(`unset ${from}`)
    }
  })

  it('tells a user without rights about the docker group', () => {
    expect(textOf({ ...BARE, isRoot: false, ...answering('denied') })).toContain('usermod -aG docker')
  })

  it('tells an ordinary user the commands to run', () => {
    const user = { ...BARE, isRoot: false }
    expect(textOf(user)).toContain('sudo apt-get install docker.io')
    expect(textOf({ ...user, hasEngine: true })).toContain('`sudo dockerd`')
    expect(textOf({ ...user, hasEngine: true, hasSystemd: true })).toContain('`sudo systemctl start docker`')
  })

  it('points to the instructions on a system without apt', () => {
    expect(textOf({ ...BARE, hasApt: false })).toContain('https://docs.docker.com/engine/install/')
  })

  it('asks for Docker Desktop on a Mac', () => {
    expect(textOf({ ...BARE, platform: 'darwin' })).toContain('Docker Desktop')
    expect(textOf({ ...BARE, platform: 'freebsd' })).toContain('DOCKER_HOST')
  })

  it('says before it starts what it will do, and that dockerd stays', () => {
    expect(describeStart({ do: 'start', installs: true, by: 'dockerd' })).toMatch(/docker\.io.*keeps running/)
    expect(describeStart({ do: 'start', installs: false, by: 'systemctl' })).not.toContain('install')
  })
})

describe('the address of the engine', () => {
  const choose = (env: Record<string, string>) => chooseDocker(env, MACHINE_PLACES)

  it("comes from the Docker provisioner's variable, then Docker's, then the sockets of this machine", () => {
    const both = { SHIPFOX_PROVISIONER_DOCKER_HOST: 'tcp://a:1', DOCKER_HOST: 'tcp://b:2' }
    expect(choose(both)).toEqual({ from: 'SHIPFOX_PROVISIONER_DOCKER_HOST', hosts: ['tcp://a:1'] })
    expect(choose({ DOCKER_HOST: 'tcp://b:2' })).toEqual({ from: 'DOCKER_HOST', hosts: ['tcp://b:2'] })
    expect(choose({ DOCKER_HOST: '' })).toEqual({ from: 'default', hosts: [SOCKET] })
  })

  it('is looked for at the rootless engine and at Docker Desktop too', () => {
    const env = { HOME: '/home/runner', XDG_RUNTIME_DIR: '/run/user/7' }
    expect(choose(env).hosts).toEqual([
      SOCKET,
      'unix:///run/user/7/docker.sock',
      'unix:///home/runner/.docker/run/docker.sock',
    ])
  })
})
