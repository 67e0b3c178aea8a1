import { describe, expect, it, type TestContext } from 'vitest'
import { OwnEngine, type OwnEngineOptions } from './support/own-engine.ts'
import { Scene } from './support/scene.ts'
import { templateLine } from './support/templates.ts'

const MIB = 1024 ** 2
/** How long the source waits for jobs whose runners die without a word. */
const JOB_LEASE_MS = 20_000

async function begin(
  test: TestContext,
  kinds: readonly string[],
  options: OwnEngineOptions = {},
  jobLeaseMs?: number,
): Promise<{ engine: OwnEngine; scene: Scene }> {
  const engine = await OwnEngine.open(options)
  test.onTestFinished(() => engine.close())
  const { socket, docker, image } = engine
  const templates = kinds
    .map((kind) => templateLine(kind, image, ', memory: 64MiB, stop_timeout: 2s'))
    .join('\n')
  const scene = await Scene.begin(test, {
    kinds: [],
    templates,
    engine: { socket, docker, image },
    ...(jobLeaseMs !== undefined && { jobLeaseMs }),
  })
  return { engine, scene }
}

/** All the ways in which runners of a template ended, by the hub's records. */
function endings(scene: Scene, template: string): readonly string[] {
  const gone = scene.hubEvents('runner.gone').filter((event) => event['template'] === template)
  return [...new Set(gone.map(({ outcome, code }) => `${outcome} ${code}`))]
}

/** Waits until the host takes no runners, for a reason that speaks of this. */
async function refusal(scene: Scene, about: string): Promise<void> {
  await scene.until(`the hub hears of the ${about}`, async () =>
    (await scene.state.read()).hosts.some(({ notAcceptingReason }) => notAcceptingReason?.includes(about)),
  )
}

describe.concurrent('an engine of its own', () => {
  it('K8: stopped and started again: its jobs fail once, honestly, and waiting ones run', async (test) => {
    const { engine, scene } = await begin(test, ['running', 'waiting'])
    const running = await scene.queue(['running', 'running'], 'sleep 60')
    await scene.running(running)
    await engine.stop('SIGTERM')
    await refusal(scene, 'engine')
    const reserved = scene.hubEvents('runner.reserved').length
    const waiting = await scene.queue(['waiting'])
    expect(await scene.ended(running)).toEqual(['failed', 'failed'])
    expect(scene.hubEvents('runner.reserved')).toHaveLength(reserved)
    await engine.start()
    expect(await scene.ended(waiting)).toEqual(['finished'])
    await scene.expectSettled()
    expect(endings(scene, 'running')).toEqual(['failed exited-with-error'])
    expect(endings(scene, 'waiting')).toEqual(['finished exited'])
  })

  it('K8: killed and started again while containers live on: their jobs finish', async (test) => {
    const { engine, scene } = await begin(test, ['running', 'ending'], { liveRestore: true })
    const running = await scene.queue(['running', 'ending'], 'sleep 5')
    await scene.running(running)
    await engine.stop('SIGKILL')
    await refusal(scene, 'engine')
    await engine.start()
    const more = await scene.queue(['running'])
    expect(await scene.ended([...running, ...more])).toEqual(['finished', 'finished', 'finished'])
    await scene.expectSettled()
    expect(endings(scene, 'running')).toEqual(['finished exited'])
    expect(endings(scene, 'ending')).toEqual(['finished exited'])
  })

  it('K1: frozen: jobs run on, the host takes none until it thaws, and nothing is lost', async (test) => {
    const { engine, scene } = await begin(test, ['running', 'waiting'])
    const running = await scene.queue(['running'], 'sleep 3')
    await scene.running(running)
    engine.freeze()
    // The agent would notice at its next listing, which this brings about.
    scene.gate.proxy.cut()
    await refusal(scene, 'engine')
    expect(await scene.ended(running)).toEqual(['finished'])
    const waiting = await scene.queue(['waiting'])
    await scene.until('the hub sees it wait', () =>
      scene.hubEvents('demand.waiting').some(({ jobs }) => jobs === 1),
    )
    engine.thaw()
    expect(await scene.ended(waiting)).toEqual(['finished'])
    await scene.expectSettled()
    expect(endings(scene, 'running')).toEqual(['finished exited'])
    expect(endings(scene, 'waiting')).toEqual(['finished exited'])
  })

  it('K9: the shim of a container is killed: its runner ends once and frees its room', async (test) => {
    const { engine, scene } = await begin(test, ['running', 'other'], {}, JOB_LEASE_MS)
    const running = await scene.queue(['running'], 'sleep 60')
    await scene.running(running)
    for (const pid of await engine.shims()) process.kill(pid, 'SIGKILL')
    expect(await scene.ended(running)).toEqual(['lost'])
    expect(await scene.ended(await scene.queue(['other']))).toEqual(['finished'])
    await scene.expectSettled()
    expect(endings(scene, 'running')).toHaveLength(1)
    expect(endings(scene, 'running')[0]).toMatch(/^(?:failed exited-with-error|lost container-vanished)$/)
  })

  it('K10: after a reboot, no exit counts as success: neither one before it, nor one that the engine made up', async (test) => {
    const { engine, scene } = await begin(test, ['exited', 'cut', 'other'], {}, JOB_LEASE_MS)
    const [exited, cut] = [await scene.queue(['exited'], 'sleep 3'), await scene.queue(['cut'], 'sleep 60')]
    await scene.running([...exited, ...cut])
    await scene.killAgent()
    expect(await scene.ended(exited)).toEqual(['finished'])
    await engine.cutPower()
    await engine.start()
    const bootId = await scene.place.write('boot-id', '11111111-2222-4333-8444-555555555555\n')
    const afterBoot = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && exec "$@"`
    scene.launchAgent({}, ['unshare', '-m', 'sh', '-c', afterBoot, 'sh'])
    expect(await scene.ended(cut)).toEqual(['lost'])
    expect(await scene.ended(await scene.queue(['other']))).toEqual(['finished'])
    await scene.expectSettled()
    expect(endings(scene, 'exited')).toEqual(['lost host-rebooted'])
    expect(endings(scene, 'cut')).toEqual(['lost host-rebooted'])
    expect(endings(scene, 'other')).toEqual(['finished exited'])
  })

  it('K5: its disk is full: running jobs go on, the host takes none and says why, and comes back', async (test) => {
    const { engine, scene } = await begin(test, ['running', 'waiting'], { diskMib: 420 })
    const running = await scene.queue(['running'], 'sleep 8')
    await scene.running(running)
    const free = await engine.fillDisk(2 * MIB)
    await refusal(scene, 'disk')
    const waiting = await scene.queue(['waiting', 'waiting'])
    expect(await scene.ended(running)).toEqual(['finished'])
    await scene.until('the hub sees them wait', () =>
      scene.hubEvents('demand.waiting').some(({ jobs }) => jobs === 2),
    )
    expect(endings(scene, 'waiting')).toEqual([])
    await free()
    expect(await scene.ended(waiting)).toEqual(['finished', 'finished'])
    await scene.expectSettled()
    expect(endings(scene, 'waiting')).toEqual(['finished exited'])
  })
})
