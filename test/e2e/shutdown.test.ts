import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startSandbox } from '../../sandbox/index.ts'
import { type Env, openPlace, type Place, type Run } from './support.ts'
import { eventually } from '../support/eventually.ts'
import { demoImage, statesOf, templatesOf, World } from './world.ts'

const AGENT_TOKEN = 'an-agent-token-for-this-test-alone'
const WRONG_TOKEN = 'a-canary-that-no-hub-knows-of'

async function openWorld(): Promise<World> {
  const world = await World.open('v2')
  onTestFinished(() => world.close())
  return world
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('a shutdown signal to slipway start', () => {
  it('S11: claims nothing new, lets what was granted end, and exits 0 with nothing left anywhere', async () => {
    const world = await openWorld()
    const { place, events } = world
    const templates = await place.write('templates.yaml', templatesOf(await demoImage(), ['burst']))
    const run = place.slipway(['start'], { ...world.env(templates), SLIPWAY_HOST_MAX_RUNNERS: '6' })
    await run.until('the host is online', () => run.events('host.online')[0])
    const jobs = world.queue(
      Array.from({ length: 12 }, () => 'burst'),
      'sleep 3',
    )
    await eventually('the first job runs', () => events.some(({ type }) => type === 'job.claimed'))
    run.signal('SIGTERM')
    await run.until('it drains', () => run.events('hub.draining')[0])
    const grantedAtDrain = granted(world)
    expect(await run.end()).toEqual({ code: 0, signal: null })

    expect(granted(world)).toBe(grantedAtDrain)
    const states = statesOf(world.now(jobs))
    expect([...new Set(states)].toSorted()).toEqual(['finished', 'queued'])
    // Whatever was granted has been launched and has taken a job.
    expect(states.filter((state) => state === 'finished')).toHaveLength(grantedAtDrain)
    expect(world.sandbox.stats()).toMatchObject({ reservedUnits: 0, activeRunners: 0 })
    expect(await place.containers()).toEqual([])
    expect(await place.processes()).toEqual([])
    expect(run.output).not.toMatch(/^\s+at /m)
  })

  it('a second signal ends it at once, and the next start takes care of what it left', async () => {
    const world = await openWorld()
    const { place } = world
    const templates = await place.write('templates.yaml', templatesOf(await demoImage(), ['long']))
    const env = world.env(templates)
    const run = place.slipway(['start'], env)
    await run.until('the host is online', () => run.events('host.online')[0])
    const jobs = world.queue(['long'], 'sleep 6')
    await eventually('the job runs', () => world.now(jobs)[0]?.state === 'claimed')
    run.signal('SIGTERM')
    await run.until('it drains', () => run.events('hub.draining')[0])
    // As when a service manager tells all processes of a group, and npm passes it on: one request, heard twice.
    run.signal('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(run.ending).toBeNull()
    run.signal('SIGTERM')
    expect(await run.end()).toEqual({ code: 143, signal: null })
    expect(await place.containers()).toHaveLength(1)

    const next = place.slipway(['start', '--until-idle', '--json'], env)
    expect(await next.end()).toMatchObject({ signal: null })
    expect(statesOf(world.now(jobs))).toEqual(['finished'])
    expect(await world.startCounts('long')).toEqual({ starts: 1, runners: 1 })
    expect(await place.containers()).toEqual([])
  })
})

/** Units that the source ever granted. */
function granted({ events }: World): number {
  return events
    .flatMap((event) => (event.type === 'jobs.reserved' ? [event.count] : []))
    .reduce((a, b) => a + b, 0)
}

describe('slipway sandbox, hub and agent as three processes', () => {
  let place: Place

  beforeEach(async () => {
    place = await openPlace()
  })
  afterEach(() => place.close())

  it('H6: serve jobs; the hub stops and starts again alone, and its jobs and its agent run on', async () => {
    const sandbox = place.slipway(['sandbox', '--port', '0', '--demo-jobs', '8'], { SLIPWAY_LOG: 'json' })
    const exported = await sandbox.until('the sandbox says how to reach it', () => {
      const lines = [...sandbox.stdout.matchAll(/^export (\w+)=(\S+)$/gm)]
      return lines.length >= 3 && Object.fromEntries(lines.map(([, name, value]) => [name, value]))
    })
    const hubPort = String(await freePort())
    const templates = await place.write('templates.yaml', demoTemplatesFile(await demoImage()))
    const hubEnv: Env = {
      ...exported,
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: templates,
      SLIPWAY_LOCAL_AGENT_TOKEN: AGENT_TOKEN,
      SLIPWAY_HUB_PORT: hubPort,
      SLIPWAY_LOG: 'json',
    }
    const hub = place.slipway(['hub'], hubEnv)
    await hub.until('the hub listens', () => hub.events('hub.listening')[0])
    const intruder = place.slipway(['agent'], {
      SLIPWAY_STATE_DIR: `${place.path}/intruder`,
      SLIPWAY_HUB_URL: `http://127.0.0.1:${hubPort}`,
      SLIPWAY_AGENT_TOKEN: WRONG_TOKEN,
    })
    const agent = place.slipway(['agent'], {
      SLIPWAY_HUB_URL: `http://127.0.0.1:${hubPort}`,
      SLIPWAY_AGENT_TOKEN: AGENT_TOKEN,
      // A few jobs at a time, so that there is something left for the second hub.
      SLIPWAY_HOST_MAX_RUNNERS: '3',
      SLIPWAY_LOG: 'json',
    })
    const ended = () => sandbox.events('sandbox.job.finished')
    await sandbox.until('a job runs', () => sandbox.events('sandbox.job.claimed')[0])

    hub.signal('SIGTERM')
    expect(await hub.end()).toEqual({ code: 0, signal: null })
    const startedByFirst = agent.events('agent.launch-accepted').length
    expect(startedByFirst).toBeLessThan(8)
    await sandbox.until('the jobs of the first hub end without it', () => ended().length === startedByFirst)
    expect(agent.ending).toBeNull()

    const second = place.slipway(['hub'], hubEnv)
    const taken = await second.until('the hub is back', () => second.events('lease.taken')[0])
    // At once, counted from its first word: the lease of the first hub would live for 20 s.
    const [begun] = second.lines()
    expect(Date.parse(taken.at) - Date.parse(begun!.at)).toBeLessThan(10_000)
    await sandbox.until('all jobs end', () => ended().length === 8)
    expect(ended().every(({ nonceSeen }) => nonceSeen)).toBe(true)
    expect(agent.events('agent.launch-accepted')).toHaveLength(8)
    await eventually('no container is left', async () => (await place.containers()).length === 0)

    // X6: what has never been let in ends, and says why.
    expect(await intruder.end()).toEqual({ code: 1, signal: null })
    expect(intruder.stderr).toMatch(/^slipway: The hub answered HTTP 403 for the token of host "local"/m)
    expect(intruder.output).not.toContain(WRONG_TOKEN)

    for (const run of [second, agent, sandbox] satisfies Run[]) {
      run.signal('SIGTERM')
      expect(await run.end()).toEqual({ code: 0, signal: null })
    }
    expect(await place.processes()).toEqual([])
  })

  it('S6, K17: start, killed in a burst and started again, brings every job to one end', async () => {
    // Units that died with the process come back after this time on v2.
    const env = {
      SLIPWAY_LOG: 'json',
      SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS: '10000',
      // A runner that finds no source while there is none fails, and would be kept for a look.
      SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS: '0',
    }
    const first = place.slipway(['start', '--demo-jobs', '12'], env)
    const claimed = () => first.events('sandbox.job.claimed').length
    await first.until('some jobs run', () => claimed() >= 2)
    first.signal('SIGKILL')
    expect(await first.end()).toEqual({ code: null, signal: 'SIGKILL' })
    expect((await place.containers()).length).toBeGreaterThan(0)

    const second = place.slipway(['start', '--demo-jobs', '0', '--until-idle', '--json'], env)
    expect(await second.end()).toMatchObject({ signal: null })
    const sandbox = await startSandbox({ protocol: 'v2', dataDir: join(place.stateDir, 'sandbox-v2') })
    const jobs = sandbox.jobs()
    await sandbox.close()
    expect(statesOf(jobs)).toEqual(Array.from({ length: 12 }, () => 'finished'))
    // One claim of one runner each, though two hubs and two agents were at work.
    const told = [...first.events('sandbox.job.claimed'), ...second.events('sandbox.job.claimed')]
    expect(new Set(told.map(({ jobId }) => jobId)).size).toBe(told.length)
    expect(await place.containers()).toEqual([])
    expect(await place.processes()).toEqual([])
  })
})

/** Templates of a user's own for the labels of the demo's jobs. */
function demoTemplatesFile(image: string): string {
  const rest = `image: "${image}", cpu: 0.2, memory: 64MiB, max_concurrency: 50`
  return `templates:\n  small: { labels: [demo, small], ${rest} }\n  large: { labels: [demo, large], ${rest} }\n`
}
