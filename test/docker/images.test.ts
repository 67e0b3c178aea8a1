import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { demoImage } from '../e2e/world.ts'
import { openTestRegistry } from '../support/test-registry.ts'
import { ENGINE } from './support/engine-gate.ts'
import { Scene, SHORT_RESERVATION_MS, SHORT_RESERVATIONS } from './support/scene.ts'
import { templateLine } from './support/templates.ts'

const BAD = ['missing', 'denied', 'limited', 'broken', 'slow']

describe.concurrent('images and reservations', () => {
  it('K12: images that are missing, limited, broken or slow hold up their own jobs: no token is spent on them', async (test) => {
    const registry = await openTestRegistry()
    test.onTestFinished(() => registry.close())
    const { host } = registry
    const templates = BAD.map((name) => templateLine(name, `${host}/${name}:1`)).join('\n')
    const scene = await Scene.begin(test, { kinds: ['other'], templates })
    const stuck = await scene.queue(BAD)
    const others = await scene.queue(['other', 'other'])
    expect(await scene.ended(others)).toEqual(['finished', 'finished'])
    const failed = (): Set<unknown> => new Set(scene.agentEvents('image.failed').map(({ image }) => image))
    const failing = BAD.filter((name) => name !== 'slow')
    await scene.until('each failure is told', () =>
      failing.every((name) => failed().has(`${host}/${name}:1`)),
    )
    await scene.until('the hub knows why', async () => {
      const { images } = await scene.state.read()
      const known = images.flatMap((held) => [...held.images])
      return failing.every((name) =>
        known.some(([image, { state }]) => image.includes(`/${name}:`) && state === 'failed'),
      )
    })
    const launched = scene.hubEvents('runner.reserved').map(({ template }) => template)
    expect(launched).toEqual(['other', 'other'])
    // Each is asked for again only after a pause of ten seconds or more.
    expect(registry.requests.filter((path) => path.includes('/broken/manifests/')).length).toBeLessThan(20)
    await scene.source.cancel(stuck)
    await scene.expectSettled()
  })

  it('R2, K12: a reservation that ends during a slow start or pull is not started on; its job runs on the next', async (test) => {
    const docker = new Docker({ socketPath: '/var/run/docker.sock' })
    const image = await demoImage()
    const tag = `fault-${Date.now()}`
    await docker.getImage(image).tag({ repo: 'slipway-fault', tag })
    try {
      const pulled = templateLine('pulled', `slipway-fault:${tag}`)
      const scene = await Scene.begin(test, {
        kinds: ['created', 'other'],
        templates: pulled,
        env: SHORT_RESERVATIONS,
      })
      const { proxy } = scene.gate
      await scene.until('the image is known to be there', async () =>
        (await scene.state.read()).images.some(
          ({ images }) => images.get(`slipway-fault:${tag}`)?.state === 'present',
        ),
      )
      await docker.getImage(`slipway-fault:${tag}`).remove()
      const pull = proxy.inject({ on: ENGINE.pull, fault: 'hold' })
      const create = proxy.inject({ on: scene.gate.of('created', ENGINE.create), fault: 'keep', times: 1 })
      const jobs = [...(await scene.queue(['created', 'other']))]
      await scene.until('the container is made', () => create.answered === 1)
      const madeAtMs = performance.now()
      jobs.push(...(await scene.queue(['pulled'])))
      await scene.until('its pull is slow', () => pull.caught.length > 0)
      const expired = (): number =>
        scene.agentEvents('runner.refused').filter(({ code }) => code === 'reservation-expired').length
      await scene.until('the pull is given up', () => expired() === 1)
      // By then the reservation of the container has ended too, which was granted before it was made.
      await sleep(madeAtMs + SHORT_RESERVATION_MS - performance.now())
      create.release()
      await scene.until('the container is not started', () => expired() === 2)
      await docker.getImage(image).tag({ repo: 'slipway-fault', tag })
      pull.release()
      expect(await scene.ended(jobs)).toEqual(['finished', 'finished', 'finished'])
      await scene.expectSettled()
    } finally {
      await docker
        .getImage(`slipway-fault:${tag}`)
        .remove()
        .catch(() => {})
    }
  })
})
