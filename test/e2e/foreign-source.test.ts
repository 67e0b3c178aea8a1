import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hubDatabase } from '../../local/hub-database.ts'
import { TOKEN_PREFIX, type TokenKind } from '../../sandbox/rules/tokens.ts'
import { ensureTestImage } from '../support/test-image.ts'
import { type Place, type Run } from './support.ts'
import { eventually } from '../support/eventually.ts'
import { demoImage, statesOf, templatesOf, World } from './world.ts'

/**
 * One job of a kind at a time: on v1, what a first grant leaves of a kind waits for a minute, which is that
 * generation's own defect and too long for a test.
 */
const KINDS = ['a', 'b', 'c', 'limited-a', 'limited-b', 'hung', 'cut', 'running', 'later', 'last', 'never']
const GENERATIONS = ['v1', 'v2'] as const
const AGENT_TOKEN = 'canary-agent-token-0123456789'
/** The path that mints, of either generation. */
const MINT = /^\/provisioners\/(runner-registration-tokens|runner-instances)\/batch$/
const POLL = /\/demand\/poll$/

const RETRY_AFTER_MS = 3_000
/** Two processes look at the clock, one after the other. */
const CLOCKS_MS = 100
/** From an answer to what follows from it, on a busy machine. */
const HEARING_MS = 100
/** Calls that a shutdown may make to a server that refuses its token: reports are told again for a while. */
const FAREWELLS_MAX = 40

interface Served {
  readonly world: World
  readonly run: Run
}

let served: readonly Served[] = []

beforeAll(async () => {
  const [image, shellImage] = [await demoImage(), await ensureTestImage()]
  served = await Promise.all(
    GENERATIONS.map(async (generation) => {
      const world = await World.open(generation)
      const templates = await world.place.write(
        'templates.yaml',
        templatesOf(image, KINDS) + brokenTemplate(shellImage),
      )
      const run = world.place.slipway(['start'], {
        ...world.env(templates),
        SLIPWAY_LOCAL_AGENT_TOKEN: AGENT_TOKEN,
        // Units whose grant was lost come back after this time on v2; runners of a busy machine register within it.
        SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS: '20000',
        // One that came too late for its job holds a shutdown up for no longer than this.
        SHIPFOX_RUNNER_POLL_MAX_DURATION_MS: '10000',
        SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS: '0',
      })
      return { world, run }
    }),
  )
  await Promise.all(
    served.map(({ run }) => run.until('the host is online', () => run.events('host.online')[0])),
  )
})

/** Its container says everything that it was given, and fails: the worst that a runner can do to its own token. */
function brokenTemplate(image: string): string {
  const script = 'env; sleep 1; exit 3'
  return `  broken: { labels: [e2e, broken], image: "${image}", cpu: 0.1, memory: 64MiB, max_concurrency: 1, env: { SCRIPT: "${script}" } }\n`
}

afterAll(() => Promise.all(served.map(({ world }) => world.close())))

/** Both generations at once: most of the time of a test is spent waiting. */
async function withBoth(check: (world: World, run: Run) => Promise<void>): Promise<void> {
  await Promise.all(served.map((one) => checkOne(one, check)))
}

/** A failure tells which generation it was, and what the command said meanwhile. */
async function checkOne(
  { world, run }: Served,
  check: (world: World, run: Run) => Promise<void>,
): Promise<void> {
  world.proxy.clear()
  const before = run.output.length
  try {
    await check(world, run)
  } catch (cause) {
    throw new Error(`${world.generation}: ${String(cause)}\n${run.output.slice(before)}`, { cause })
  }
}

const finished = (count: number): string[] => Array.from({ length: count }, () => 'finished')

describe('slipway start, pointed at a server of either generation', () => {
  it('serves a container per job, below a path prefix, with slashes after the URLs', () =>
    withBoth(async (world, run) => {
      const jobs = await world.runJobs(['a', 'b', 'c'], 'true')
      expect(statesOf(jobs)).toEqual(finished(3))
      expect(await world.startCounts('a', 'b', 'c')).toEqual({ starts: 3, runners: 3 })
      const generations = run.events('source.authenticated').map(({ generation }) => generation)
      expect([...new Set(generations)]).toEqual([world.generation])
      const paths = [...world.front.exchanges, ...world.back.exchanges].map(({ path }) => path)
      expect(paths.filter((path) => path.includes('//'))).toEqual([])
    }))

  it('G18: waits as long as a 429 on a poll or a mint says, and then goes on', () =>
    withBoth(async (world) => {
      const fault = {
        kind: 'status',
        status: 429,
        code: 'rate-limited',
        headers: { 'retry-after': String(RETRY_AFTER_MS / 1000) },
      } as const
      world.proxy.inject({ fault, path: POLL, times: 1 })
      world.proxy.inject({ fault, path: MINT, times: 1 })
      // Two kinds are two batches at once, of which one meets the limit.
      const jobs = await world.runJobs(['limited-a', 'limited-b'], 'true')
      expect(statesOf(jobs)).toEqual(finished(2))
      const pauses = [...pausesAfterLimit(world, POLL), ...pausesAfterLimit(world, MINT)]
      expect(pauses.map((ms) => ms >= RETRY_AFTER_MS - CLOCKS_MS || ms)).toEqual([true, true])
      expect(await world.startCounts('limited-a', 'limited-b')).toEqual({ starts: 2, runners: 2 })
    }))

  it('G6: survives cut answers to polls, mints and reports, with one container per job', () =>
    withBoth(async (world) => {
      const cut = (path: RegExp, times: number): void =>
        world.proxy.inject({ fault: { kind: 'truncate' }, path, times })
      const cuts = () => world.proxy.requests.filter(({ fault }) => fault === 'truncate').length
      cut(MINT, 1)
      cut(/\/report$/, 2)
      expect(statesOf(await world.runJobs(['cut'], 'sleep 1'))).toEqual(finished(1))
      await eventually('all three answers were cut', () => cuts() === 3)
      expect(await world.startCounts('cut')).toEqual({ starts: 1, runners: 1 })
      // On v1 the unit of a lost grant stays blocked for a minute.
      if (world.generation === 'v1') return
      const jobs = world.queue(['cut', 'cut'], 'true')
      cut(POLL, 1)
      expect(statesOf(await world.ended(jobs))).toEqual(finished(2))
      expect(cuts()).toBe(4)
      expect(await world.startCounts('cut')).toEqual({ starts: 3, runners: 3 })
    }))

  it('R6, L7: sees a poll that hangs end by itself, and goes on', () =>
    withBoth(async (world) => {
      world.proxy.inject({ fault: { kind: 'hang' }, path: POLL, times: 1 })
      await eventually('a poll hangs', () => world.proxy.requests.some(({ fault }) => fault === 'hang'))
      expect(statesOf(await world.runJobs(['hung'], 'true'))).toEqual(finished(1))
    }))

  it('survives a restart of the server, with a job under way and one that comes after', () =>
    withBoth(async (world) => {
      const [running] = world.queue(['running'], 'sleep 4')
      await eventually('the job runs', () => world.now([running!])[0]?.state === 'claimed')
      await world.sandbox.close()
      await eventually('a poll meets no server', () => world.front.exchanges.at(-1)?.status === 0)
      await world.startSandbox()
      const later = world.queue(['later'], 'true')
      expect(statesOf(await world.ended([running!, ...later]))).toEqual(finished(2))
      expect(await world.startCounts('running', 'later')).toEqual({ starts: 2, runners: 2 })
    }))

  it('tells how a container failed, removes it, and lets its job wait again', () =>
    withBoth(async (world, run) => {
      const [job] = world.queue(['broken'], 'true')
      const gone = await run.until('a container fails', () => {
        return run.events('runner.gone').find(({ template }) => template === 'broken')
      })
      expect(gone).toMatchObject({ outcome: 'failed', code: 'exited-with-error', exitCode: 3 })
      await eventually('its container is removed', async () => (await world.place.containers()).length === 0)
      expect(statesOf(world.now([job!]))).toEqual(['queued'])
      world.sandbox.cancel(job!.id)
    }))

  it('S11: says once that its token was revoked, lets jobs end, and stops clean', () =>
    withBoth(async (world, run) => {
      const [running] = world.queue(['last'], 'sleep 4')
      await eventually('the job runs', () => world.now([running!])[0]?.state === 'claimed')
      world.sandbox.revokeToken()
      const [waiting] = world.queue(['never'], 'true')
      const said = await run.until('it says so', () => run.events('source.unauthorized')[0])
      expect(said.reason).toMatch(/revoked.*No new jobs are claimed/s)
      expect(statesOf(await world.ended([running!]))).toEqual(['finished'])
      await eventually('its container is gone', async () => (await world.place.containers()).length === 0)
      const before = world.front.exchanges.length
      run.signal('SIGTERM')
      expect(await run.end()).toEqual({ code: 0, signal: null })
      expect(run.events('source.unauthorized')).toHaveLength(1)
      expect(statesOf(world.now([waiting!]))).toEqual(['queued'])
      expect(await world.place.containers()).toEqual([])
      expect(await world.place.processes()).toEqual([])
      // A server that refuses us is not asked repeatedly during shutdown.
      expect(world.front.exchanges.length - before).toBeLessThan(FAREWELLS_MAX)
    }))

  it('inv. 15: keeps every token out of files, labels, logs and records', () =>
    withBoth(async (world, run) => {
      run.signal('SIGTERM')
      await run.end()
      const kinds: readonly TokenKind[] =
        world.generation === 'v1' ? ['registration', 'session'] : ['bootstrap', 'activation', 'session']
      const tokens = [...new Set([...world.front.tokens, ...world.back.tokens])]
      // What is searched for must have been seen at all.
      const seen = (kind: TokenKind) => tokens.some((token) => token.startsWith(TOKEN_PREFIX[kind]))
      expect((['provisioner', ...kinds] as const).filter((kind) => !seen(kind))).toEqual([])
      const places = new Map([
        ...[...(await world.place.files())].filter(([path]) => path.startsWith('.slipway/')),
        ['database', readDatabase(world.place)],
        ['stdout', run.stdout],
        ['stderr', run.stderr],
        ['labels', world.starts.text()],
      ])
      // The failed container printed its environment, and its last lines are kept.
      expect(places.get('database')).toContain('SHIPFOX_API_URL=')
      expect(places.get('labels')).toContain('slipway.origin')
      const canaries = [...tokens, AGENT_TOKEN]
      const found = [...places].filter(([, text]) => canaries.some((token) => text.includes(token)))
      expect(found.map(([place]) => place)).toEqual([])
    }))
})

/** Every row of the hub's database, as a text. A page of the file itself may end in the middle of a token. */
function readDatabase(place: Place): string {
  const db = new DatabaseSync(hubDatabase(join(place.stateDir, 'hub')), { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    return JSON.stringify(tables.map(({ name }) => db.prepare(`SELECT * FROM ${String(name)}`).all()))
  } finally {
    db.close()
  }
}

/**
 * For each 429 on that path: how long it was until the next request there. What another batch sent before it could
 * hear of the 429 doesn't count.
 */
function pausesAfterLimit(world: World, path: RegExp): readonly number[] {
  const exchanges = world.front.exchanges.filter((exchange) => path.test(exchange.path))
  return exchanges.flatMap((limited) => {
    if (limited.status !== 429) return []
    const next = exchanges.find(({ sentAt, body }) => {
      return sentAt > limited.answeredAt + (body === limited.body ? 0 : HEARING_MS)
    })
    return [next === undefined ? Infinity : next.sentAt - limited.answeredAt]
  })
}
