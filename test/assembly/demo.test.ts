import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoImage, statesOf } from '../e2e/world.ts'
import { denied, unused } from './audit.ts'
import { startContainer, startProcess } from './environment.ts'
import { Scene } from './scene.ts'
import { type Synthesized, synthesize } from './synthesize.ts'
import type { DeclaredFunction } from './template.ts'
import { levelOf } from '../../core/model/index.ts'

/** What Lambda gives a function of 256 MB. */
const SMALL = { cpus: 0.14, memoryMb: 256 }
const JOBS = 20
const PARAMETER = '/slipway/slipway-prod/shipfox-token'
const HOUR_MS = 3_600_000

let synthesized: Synthesized
let image: string

beforeAll(async () => {
  synthesized = await synthesize('prod')
  image = await demoImage()
})
afterAll(() => synthesized.close())

function finished(count: number): readonly string[] {
  return Array.from({ length: count }, () => 'finished')
}

function functionNamed(start: string): DeclaredFunction {
  const found = synthesized.assembly.functions.find(({ id }) => id.startsWith(start))
  if (found === undefined) throw new Error(`No function is named ${start}…`)
  return found
}

describe('the hub as the assembly declares it', () => {
  let scene: Scene

  beforeAll(async () => {
    scene = await Scene.open({ assembly: synthesized.assembly, start: startProcess })
    scene.aws.startSchedules()
  })
  afterAll(() => scene.close())

  it('says which secret has no value yet, and goes on by itself once it has one', async () => {
    const state = async () => (await scene.operator.health()).sources[0]
    await scene.until('the hub misses its secret', async () => (await state())?.state === 'secret-missing')
    expect(await state()).toMatchObject({ source: 'shipfox', parameter: PARAMETER })
    await scene.operator.setSecret('shipfox', scene.secrets.source)
    await scene.setUp(image)
    await scene.until('the source is well', async () => (await state())?.state === 'ok')
  })

  it(`runs ${JOBS} jobs in ${JOBS} containers to the end, and leaves nothing`, async () => {
    const jobs = await scene.runJobs(JOBS)
    expect(statesOf(jobs)).toEqual(finished(JOBS))
    expect(scene.sandbox.stats()).toMatchObject({ reservedUnits: 0, activeRunners: 0 })
    expect(failures(scene)).toEqual([])
  })

  it('W12: a newer connection of an agent ends the older one', async () => {
    scene.agent.signal('SIGSTOP')
    const newer = await scene.connectAgain()
    const cutOff = () =>
      scene.aws.recorder.calls.filter(({ resource }) => resource.includes('/DELETE/@connections/'))
    await scene.until('a connection is ended', () => cutOff().length > 0)
    expect(cutOff().map(({ status }) => status)).toEqual([204])
    expect((await scene.operator.hosts())[0]?.state).toBe('syncing')
    newer.close()
    scene.agent.signal('SIGCONT')
    await scene.untilHostIs('online')
  })

  it('E2: declares lost the runners of a host that is gone, one that was only claimed among them, and forgets them a day later; others sooner', async () => {
    const { agent, aws, sandbox } = scene
    sandbox.enqueue([1, 2].map(() => ({ labels: ['demo', 'small'], command: 'sleep 600' })))
    await scene.until(
      'both run',
      () => sandbox.jobs().filter(({ state }) => state === 'claimed').length === 2,
    )
    agent.signal('SIGKILL')
    await scene.untilHostIs('offline')
    const live = (await aws.items()).filter(({ state, pk }) => pk === 'HOST#first' && state === 'running')
    expect(live).toHaveLength(2)
    // The hub was stopped between its claim and the runner's item.
    await aws.forget(({ sk }) => sk === live[0]?.['sk'])
    await aws.age(HOUR_MS)
    await aws.tick(functionNamed('Sweep').arn)
    expect((await scene.operator.hosts())[0]).toMatchObject({ state: 'dead', used: { runners: 0 } })
    const gone = async () => (await aws.items()).filter(({ state }) => state === 'gone').length
    // Those that finished had been told to their source, and went with this very sweep.
    expect(await gone()).toBe(2)
    await aws.age(25 * HOUR_MS)
    await aws.tick(functionNamed('Sweep').arn)
    expect(await gone()).toBe(0)
  })

  it('E3, H8: takes the host back when it returns, and cuts it off when it is removed', async () => {
    scene.startAgent()
    await scene.untilHostIs('online')
    await scene.operator.command(['hosts', 'remove', 'first', '--yes'])
    await scene.agent.until('the agent is refused', () => scene.agent.events('agent.token-refused')[0])
    expect(await scene.operator.hosts()).toEqual([])
  })

  it('X21: made no call that the policy of its role denies, and needed every action that it was granted', () => {
    const { roles, permissions } = synthesized.assembly
    const { calls } = scene.aws.recorder
    expect(calls.length).toBeGreaterThan(JOBS * 10)
    expect(denied(roles, calls)).toEqual([])
    expect(unused(roles, calls)).toEqual([])
    expect(permissions.filter((one) => !scene.aws.usedPermissions.has(one))).toEqual([])
  })

  it('inv. 15: showed its secrets to nobody but those who need them', async () => {
    const { aws, secrets } = scene
    const loop = functionNamed('ControlLoop').roleArn
    const posts = aws.recorder.calls.filter(
      ({ action, roleArn }) => roleArn === loop && action === 'execute-api:ManageConnections',
    )
    const runnersTokens = new Set(
      posts.flatMap(({ requestText }) => requestText.match(/sf_rbt_[\w-]{43}/g) ?? []),
    )
    expect(runnersTokens.size).toBeGreaterThanOrEqual(JOBS)
    const canaries = [secrets.source, secrets.agent, ...runnersTokens]
    const showsOne = (text: string): boolean => canaries.some((canary) => text.includes(canary))
    expect(aws.lambda.lines.filter(({ text }) => showsOne(text))).toEqual([])
    expect((await aws.items()).filter((item) => showsOne(JSON.stringify(item)))).toEqual([])
    // A launch carries the tokens of its runners to their agent, and the operator stores the source's.
    const operator = /:user\/operator$/
    const others = aws.recorder.calls.filter((call) => !posts.includes(call) && !operator.test(call.roleArn))
    expect(others.filter(({ requestText }) => showsOne(requestText))).toEqual([])
    const told = aws.recorder.answers.filter(({ text, roleArn }) => roleArn !== loop && showsOne(text))
    expect(told).toEqual([])
    expect(
      posts.filter(({ requestText }) =>
        [secrets.source, secrets.agent].some((secret) => requestText.includes(secret)),
      ),
    ).toEqual([])
  })
})

describe(`the same hub, each function with ${SMALL.cpus} of a CPU and ${SMALL.memoryMb} MB`, () => {
  let scene: Scene

  beforeAll(async () => {
    scene = await Scene.open({ assembly: synthesized.assembly, start: startContainer({ image, ...SMALL }) })
    await scene.operator.setSecret('shipfox', scene.secrets.source)
    scene.aws.startSchedules()
  })
  afterAll(() => scene.close(), 60_000)

  it(`runs ${JOBS} jobs to the end, leaves nothing, and makes no call that it may not make`, async () => {
    await scene.setUp(image)
    expect(statesOf(await scene.runJobs(JOBS))).toEqual(finished(JOBS))
    expect(scene.sandbox.stats()).toMatchObject({ reservedUnits: 0, activeRunners: 0 })
    expect(failures(scene)).toEqual([])
    expect(denied(synthesized.assembly.roles, scene.aws.recorder.calls)).toEqual([])
    for (const line of timings(scene)) process.stderr.write(`${line}\n`)
  })
})

/** What went wrong, told or not. */
function failures({ aws }: Scene): readonly unknown[] {
  const invocations = aws.lambda.invocations.filter(({ outcome }) => outcome !== 'answered')
  return [...invocations, ...aws.gatewayEvents.filter(({ event }) => levelOf(event.name) === 'error')]
}

/** How long each function took: the middle of its events, and of its cold imports. */
function timings({ aws: { lambda } }: Scene): readonly string[] {
  const middle = (values: readonly number[]): string => {
    const sorted = values.toSorted((left, right) => left - right)
    return `${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0)} ms`
  }
  return synthesized.assembly.functions.map(({ id }) => {
    const events = lambda.invocations.filter(({ functionId }) => functionId === id)
    const imports = lambda.imports.filter(({ functionId }) => functionId === id)
    const name = id.replace(/Function\w+$/, '')
    return `${name}: ${events.length} events of ${middle(events.map((one) => one.durationMs))}, ${imports.length} cold imports of ${middle(imports.map((one) => one.importMs))}`
  })
}
