import { describe, expect, it } from 'vitest'
import { ENGINE, nameIn } from './support/engine-gate.ts'
import { Scene } from './support/scene.ts'

describe.concurrent('an engine that misbehaves', () => {
  it('K1, K2, K4, R3: calls that hang hold up their own container and no other job', async (test) => {
    const scene = await Scene.begin(test, {
      kinds: ['unheard', 'late', 'begun', 'stuck', 'staying', 'other'],
    })
    const { proxy } = scene.gate
    const of = scene.gate.of.bind(scene.gate)
    // Made, started, removed, and nobody hears of it; made when nobody waits for it any more.
    const unheard = proxy.inject({ on: of('unheard', ENGINE.create), fault: 'swallow', times: 1 })
    const late = proxy.inject({ on: of('late', ENGINE.create), fault: 'hold', times: 1 })
    const begun = proxy.inject({ on: of('begun', ENGINE.start), fault: 'swallow', times: 1 })
    const stuck = proxy.inject({ on: of('stuck', ENGINE.inspect), fault: 'hang' })
    const staying = proxy.inject({ on: of('staying', ENGINE.remove), fault: 'hang', times: 1 })
    const jobs = await scene.queue(['unheard', 'begun'])
    await scene.until('they hang', () => unheard.answered === 1 && begun.answered === 1)
    const [stayingJobs, stuckJobs] = [await scene.queue(['staying']), await scene.queue(['stuck'])]
    await scene.until('these hang, too', () => stuck.caught.length > 0 && staying.caught.length === 1)
    expect(await scene.ended(stayingJobs)).toEqual(['finished'])

    // Three of the four lanes hang, and one container can't be asked about: other jobs still come and go.
    const others = await scene.queue(['other', 'other', 'other'])
    expect(await scene.ended(others)).toEqual(['finished', 'finished', 'finished'])
    expect(scene.hubEvents('host.offline')).toEqual([])
    // What is not surely removed holds its room.
    const held = await scene.state.read()
    expect(held.hosts.flatMap(({ slots }) => [...slots.values()].map(({ template }) => template))).toContain(
      'staying',
    )

    const lateJobs = await scene.queue(['late'])
    await scene.until('its create hangs', () => late.caught.length === 1)
    await scene.until('its launch is given up', () =>
      scene.hubEvents('runner.gone').some(({ template }) => template === 'late'),
    )
    late.release()
    await scene.until('the container appears after all', () => late.answered === 1)
    expect(await scene.ended([...jobs, ...stuckJobs])).toEqual(['finished', 'finished', 'finished'])
    await scene.until(
      'the container is told as stuck',
      () => scene.agentEvents('engine.container-stuck').length === 1,
    )
    stuck.release()
    expect(await scene.ended(lateJobs)).toEqual(['finished'])
    await scene.expectSettled()
  })

  it('K2, K3, K4, R3: answers that are lost and names that are taken end in one start each', async (test) => {
    const kinds = ['create-lost', 'start-lost', 'inspect-lost', 'remove-lost', 'removing', 'taken', 'other']
    const scene = await Scene.begin(test, { kinds })
    const { proxy } = scene.gate
    for (const [kind, call] of [
      ['create-lost', ENGINE.create],
      ['start-lost', ENGINE.start],
      ['inspect-lost', ENGINE.inspect],
      ['remove-lost', ENGINE.remove],
    ] as const)
      proxy.inject({ on: scene.gate.of(kind, call), fault: 'lose', times: 1 })
    const inProgress = { message: 'removal of container x is already in progress' }
    const removing = proxy.inject({
      on: scene.gate.of('removing', ENGINE.remove),
      fault: { status: 409, body: inProgress },
      times: 2,
    })
    const taken = proxy.inject({ on: scene.gate.of('taken', ENGINE.create), fault: 'hold', times: 1 })
    const jobs = await scene.queue(kinds)
    const asked = await scene.until('the name is known', () => taken.caught[0])
    const { Image }: { Image: string } = JSON.parse(asked.body)
    const phantom = await scene.docker.createContainer({ name: nameIn(asked), Image })
    try {
      taken.release()
      expect(await scene.ended(jobs)).toEqual(kinds.map(() => 'finished'))
      // Cutting the events makes the agent list at once; otherwise it would take half a minute.
      await scene.until('the removal is refused', () => removing.caught.length > 0)
      await scene.until('it is tried until it is done', async () => {
        if ((await scene.containers()).length > 0) proxy.cut()
        return (await scene.containers()).length === 0
      })
      await scene.expectSettled()
      // The stranger that held the name was left alone.
      expect((await phantom.inspect()).State.Status).toBe('created')
    } finally {
      await phantom.remove({ force: true })
    }
  })

  it('K6, K7: with the events cut, an exit in the gap is noticed; with the socket gone, the host stands back', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['gap', 'away', 'other'] })
    const { proxy } = scene.gate
    const jobs = await scene.queue(['gap'], 'sleep 2')
    await scene.running(jobs)
    const events = proxy.inject({ on: ENGINE.events, fault: 'hold' })
    proxy.cut()
    await scene.until('the agent subscribes anew', () => events.caught.length > 0)
    expect(await scene.ended(jobs)).toEqual(['finished'])
    await scene.until('the container has exited', async () =>
      (await scene.containers()).every(({ State }) => State === 'exited'),
    )
    events.release()
    await scene.until('it is cleared away', async () => (await scene.containers()).length === 0, 25_000)

    const away = await scene.queue(['away'], 'sleep 4')
    await scene.running(away)
    await proxy.refuse()
    await scene.until('the hub hears why', async () =>
      (await scene.state.read()).hosts.some(({ notAcceptingReason }) =>
        notAcceptingReason?.includes('engine'),
      ),
    )
    const reserved = scene.hubEvents('runner.reserved').length
    const waiting = await scene.queue(['other'])
    expect(await scene.ended(away)).toEqual(['finished'])
    expect(scene.hubEvents('runner.reserved')).toHaveLength(reserved)
    await proxy.listen()
    expect(await scene.ended(waiting)).toEqual(['finished'])
    await scene.expectSettled()
    expect(scene.hubEvents('runner.gone').every(({ outcome }) => outcome === 'finished')).toBe(true)
  })
})
