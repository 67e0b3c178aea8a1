import { describe, expect, it } from 'vitest'
import { ENGINE } from './support/engine-gate.ts'
import { API, mintOf } from './support/api.ts'
import type { StoreKind } from './support/hub-state.ts'
import { Scene, SHORT_RESERVATIONS } from './support/scene.ts'

describe.concurrent.each<StoreKind>(['SQLite', 'DynamoDB'])(
  'a hub on %s that is killed with SIGKILL',
  (store) => {
    it('L4, R1: after a grant, before it hears of it: the unit is granted again', async (test) => {
      const scene = await Scene.begin(test, { kinds: ['job', 'other'], env: SHORT_RESERVATIONS, store })
      const others = await scene.queue(['other'], 'sleep 5')
      await scene.running(others)
      const rule = scene.api.inject({ on: API.poll, fault: 'swallow' })
      const granted = scene.source.events('jobs.reserved').length
      const jobs = await scene.queue(['job'])
      await scene.until('the unit is granted', () => scene.source.events('jobs.reserved').length > granted)
      await scene.killHub()
      rule.release()
      await scene.startHub()
      expect(await scene.ended([...jobs, ...others])).toEqual(['finished', 'finished'])
      await scene.expectSettled()
    })

    it('L4, R4: between claim, mint and dispatch: no token is lost for good, none is used twice', async (test) => {
      const scene = await Scene.begin(test, {
        kinds: ['unminted', 'minted', 'other'],
        env: SHORT_RESERVATIONS,
        store,
      })
      const others = await scene.queue(['other'], 'sleep 5')
      await scene.running(others)
      const before = scene.api.inject({ on: mintOf('unminted'), fault: 'hang', times: 1 })
      const after = scene.api.inject({ on: mintOf('minted'), fault: 'swallow', times: 1 })
      const jobs = await scene.queue(['unminted', 'minted'])
      await scene.until('both mints stand', () => before.caught.length === 1 && after.answered === 1)
      await scene.killHub()
      await scene.startHub()
      expect(await scene.ended([...jobs, ...others])).toEqual(['finished', 'finished', 'finished'])
      await scene.expectSettled({ unlearned: 1 })
    })

    it('L4, W4, R4: after dispatch: what the agent got runs on without a hub, what it never got is launched anew', async (test) => {
      const scene = await Scene.begin(test, { kinds: ['creating', 'running', 'undelivered'], store })
      const running = await scene.queue(['running'], 'sleep 3')
      await scene.running(running)
      const create = scene.gate.proxy.inject({ on: scene.gate.of('creating', ENGINE.create), fault: 'hold' })
      const creating = await scene.queue(['creating'])
      await scene.until('the agent creates', () => create.caught.length === 1)
      scene.link.lose('to-agent')
      const undelivered = await scene.queue(['undelivered'])
      await scene.until('the launch is posted', () =>
        scene.hubEvents('runner.dispatched').some(({ template }) => template === 'undelivered'),
      )
      await scene.killHub()
      create.release()
      // With no hub anywhere, the job that was being created comes to its end.
      expect(await scene.ended([...creating, ...running])).toEqual(['finished', 'finished'])
      scene.link.heal()
      await scene.startHub()
      expect(await scene.ended(undelivered)).toEqual(['finished'])
      await scene.expectSettled()
      // One launch each, but for the one that was lost on its way.
      expect(scene.gate.made).toBe(3)
    })
  },
)

describe.concurrent('a source that misbehaves', () => {
  it('R1, R4, R6: lost replies to polls and mints, and a long outage, cost time and no job', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['poll', 'mint', 'long'], env: SHORT_RESERVATIONS })
    const poll = scene.api.inject({ on: API.poll, fault: 'lose', times: 3 })
    const mint = scene.api.inject({ on: mintOf('mint'), fault: 'lose', times: 1 })
    const jobs = await scene.queue(['poll', 'mint', 'long'], 'sleep 3')
    await scene.until('replies are lost', () => poll.caught.length === 3 && mint.caught.length === 1)
    await scene.until('a job runs', () => scene.source.events('job.claimed').length > 0)
    const felt = scene.hubEvents('source.poll-failed').length
    const outage = scene.api.inject({ on: () => true, fault: 'hang' })
    await scene.until(
      'the source is felt to be away',
      () => scene.hubEvents('source.poll-failed').length > felt,
    )
    await scene.until('what ran has ended', () => scene.source.events('job.finished').length > 0)
    outage.release()
    expect(await scene.ended(jobs)).toEqual(['finished', 'finished', 'finished'])
    await scene.expectSettled({ unlearned: 1 })
  })

  it('L2: a second hub in the same state folder is refused, and the first one works on', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['job'] })
    const second = scene.launchHub()
    expect(await second.end()).toEqual({ code: 1, signal: null })
    expect(second.stderr).toContain('Another hub uses the folder')
    expect(await scene.ended(await scene.queue(['job']))).toEqual(['finished'])
    await scene.expectSettled()
  })
})
