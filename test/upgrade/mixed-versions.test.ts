import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort, nodeLine, runIn } from '../docker/support/processes.ts'
import { type Run } from '../e2e/support.ts'
import { eventually } from '../support/eventually.ts'
import { demoImage, statesOf, World } from '../e2e/world.ts'
import { type PreviousVersion, takeOutPrevious } from './previous.ts'

const AGENT_TOKEN = 'an-agent-token-for-mixed-versions'
/** Longer than it takes to start twenty of them and to replace a hub on a busy machine. */
const LONG_JOB = 'sleep 14'

type Version = 'N' | 'N−1'

let previous: PreviousVersion

beforeAll(async () => {
  previous = await takeOutPrevious()
})
afterAll(() => previous.close())

/** A tenth of a CPU each, so that twenty jobs run at once on two cores. */
function template(image: string): string {
  return `templates:\n  mixed: { labels: [e2e, mixed], image: "${image}", cpu: 0.1, memory: 64MiB, max_concurrency: 50 }\n`
}

/** A source, and a hub and an agent of versions that the test chooses. */
class Mixed {
  readonly world: World
  readonly #env: Readonly<Record<string, string>>

  static async open(): Promise<Mixed> {
    const world = await World.open('v2')
    onTestFinished(() => world.close())
    const templates = await world.place.write('templates.yaml', template(await demoImage()))
    const port = String(await freePort())
    return new Mixed(world, {
      ...world.env(templates),
      SLIPWAY_LOCAL_AGENT_TOKEN: AGENT_TOKEN,
      SLIPWAY_AGENT_TOKEN: AGENT_TOKEN,
      SLIPWAY_HUB_PORT: port,
      SLIPWAY_HUB_URL: `ws://127.0.0.1:${port}`,
    })
  }

  private constructor(world: World, env: Readonly<Record<string, string>>) {
    this.world = world
    this.#env = env
  }

  async startHub(version: Version): Promise<Run> {
    const hub = this.#run('hub', version)
    await hub.until('the hub plans', () => hub.events('hub.listening')[0] && hub.events('lease.taken')[0])
    return hub
  }

  startAgent(version: Version): Run {
    return this.#run('agent', version)
  }

  #run(command: 'hub' | 'agent', version: Version): Run {
    const line =
      version === 'N'
        ? nodeLine('../../../bin/slipway.ts', command)
        : [process.execPath, '--disable-warning=ExperimentalWarning', previous.program, command]
    return runIn(this.world.place, line, this.#env)
  }
}

const many = (count: number): readonly string[] => Array.from({ length: count }, () => 'mixed')
const finished = (count: number): readonly string[] => Array.from({ length: count }, () => 'finished')

describe('versions of hub and agent that are one apart', () => {
  it.each<[Version, Version]>([
    ['N', 'N−1'],
    ['N−1', 'N'],
  ])('O1: a hub of version %s and an agent of version %s serve jobs', async (hubVersion, agentVersion) => {
    const mixed = await Mixed.open()
    const { world } = mixed
    const hub = await mixed.startHub(hubVersion)
    const agent = mixed.startAgent(agentVersion)
    await hub.until('the host is online', () => hub.events('host.online')[0])
    expect(statesOf(await world.runJobs(many(6), 'sleep 1'))).toEqual(finished(6))
    expect(await world.startCounts('mixed')).toEqual({ starts: 6, runners: 6 })
    expect([...hub.events('agent.message-refused'), ...agent.events('agent.message-unreadable')]).toEqual([])
    await eventually('no container is left', async () => (await world.place.containers()).length === 0)
    for (const part of [agent, hub]) part.signal('SIGTERM')
    expect([await agent.end(), await hub.end()]).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
  })

  it.each<[string, Version, Version, NodeJS.Signals]>([
    ['upgraded', 'N−1', 'N', 'SIGTERM'],
    ['killed and upgraded', 'N−1', 'N', 'SIGKILL'],
    ['rolled back', 'N', 'N−1', 'SIGTERM'],
  ])(
    'O1: a hub is %s under 20 running jobs (%s → %s, %s), and none is lost',
    async (_what, from, to, signal) => {
      const mixed = await Mixed.open()
      const { world } = mixed
      const old = await mixed.startHub(from)
      mixed.startAgent(from)
      await old.until('the host is online', () => old.events('host.online')[0])
      const jobs = world.queue(many(20), LONG_JOB)
      await old.until('20 jobs run', () => world.now(jobs).every(({ state }) => state === 'claimed'))
      old.signal(signal)
      await old.end()
      const renewed = await mixed.startHub(to)
      await renewed.until('the host is back', () => renewed.events('host.online')[0])
      expect(statesOf(await world.ended(jobs))).toEqual(finished(20))
      expect(await world.startCounts('mixed')).toEqual({ starts: 20, runners: 20 })
      // And it goes on with new work, and cleans up after the old.
      expect(statesOf(await world.runJobs(many(2), 'true'))).toEqual(finished(2))
      const ends = await renewed.until('22 ends are told', () => {
        const gone = [...old.events('runner.gone'), ...renewed.events('runner.gone')]
        return new Set(gone.map(({ runner }) => runner)).size === 22 && gone
      })
      expect(new Set(ends.map(({ outcome }) => outcome))).toEqual(new Set(['finished']))
    },
    180_000,
  )
})
