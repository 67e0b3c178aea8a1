import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mintOf } from './support/api.ts'
import { Scene } from './support/scene.ts'

describe.concurrent('a connection between hub and agent', () => {
  it('W4: that breaks before a launch is posted costs a unit nothing but time', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['minted', 'running', 'waiting'] })
    const running = await scene.queue(['running'], 'sleep 6')
    await scene.running(running)
    const mint = scene.api.inject({ on: mintOf('minted'), fault: 'keep', times: 1 })
    const minted = await scene.queue(['minted'])
    await scene.until('the token is minted', () => mint.answered === 1)
    scene.link.refuse()
    await scene.until('the hub knows', () => scene.hubEvents('host.offline').length === 1)
    mint.release()
    await scene.until('its launch is taken back', () =>
      scene
        .hubEvents('runner.gone')
        .some(({ template, code }) => template === 'minted' && code === 'never-arrived'),
    )
    const waiting = await scene.queue(['waiting'])
    const reserved = (): unknown[] =>
      scene.hubEvents('runner.reserved').filter(({ template }) => template === 'waiting')
    expect(await scene.ended(running)).toEqual(['finished'])
    expect(reserved()).toEqual([])
    scene.link.heal()
    expect(await scene.ended([...minted, ...waiting])).toEqual(['finished', 'finished'])
    await scene.expectSettled()
  })

  it('W5, W9: that is half open is left for want of an ack; what was posted into it is launched anew', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['ending', 'posted'] })
    const ending = await scene.queue(['ending'], 'sleep 2')
    await scene.running(ending)
    scene.link.lose('to-hub', 'to-agent')
    const posted = await scene.queue(['posted'])
    await scene.until('the launch is posted into nowhere', () =>
      scene.hubEvents('runner.dispatched').some(({ template }) => template === 'posted'),
    )
    expect(await scene.ended([...ending, ...posted])).toEqual(['finished', 'finished'])
    expect(scene.agentEvents('agent.disconnected')[0]?.['reason']).toContain('no ack')
    expect(scene.hubEvents('host.offline')).toEqual([])
    await scene.expectSettled()
  })

  it('W14: that carries nothing to the agent keeps its jobs and brings it none', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['running', 'waiting'] })
    const running = await scene.queue(['running'], 'sleep 8')
    await scene.running(running)
    scene.link.loseAlways('to-agent')
    scene.link.cut()
    const connected = scene.hubEvents('host.connected').length
    await scene.until(
      'the hub hears the agent again',
      () => scene.hubEvents('host.connected').length > connected,
    )
    const waiting = await scene.queue(['waiting'])
    expect(await scene.ended(running)).toEqual(['finished'])
    expect(scene.hubEvents('runner.reserved')).toHaveLength(1)
    scene.link.heal()
    expect(await scene.ended(waiting)).toEqual(['finished'])
    await scene.expectSettled()
  })

  it('W6: the late news of its end leaves the new connection alone', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['running', 'next'] })
    const running = await scene.queue(['running'], 'sleep 6')
    await scene.running(running)
    const online = scene.onlineCount()
    const tellLate = scene.link.cutAtAgent()
    await scene.until('the agent is back on a new connection', () => scene.onlineCount() > online)
    tellLate()
    expect(await scene.ended(await scene.queue(['next']))).toEqual(['finished'])
    expect(scene.hubEvents('host.offline')).toEqual([])
    expect(await scene.ended(running)).toEqual(['finished'])
    await scene.expectSettled()
  })

  it('W5, W7, W8, W12: that flaps ten times amid a burst, its agent restarted in between, starts nothing twice', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['burst'] })
    const burst = await scene.queue(
      Array.from({ length: 16 }, () => 'burst'),
      'sleep 2',
    )
    for (let flap = 1; flap <= 10; flap += 1) {
      const online = scene.onlineCount()
      // An agent dials again after a pause that grows with each cut; a fresh one dials at once.
      if (flap % 3 === 0) {
        await scene.killAgent()
        scene.launchAgent()
      } else if (flap % 3 === 1) scene.link.cut()
      else scene.link.cutAtAgent()
      await scene.until('the host is back', () => scene.onlineCount() > online)
    }
    expect(await scene.ended(burst)).toEqual(burst.map(() => 'finished'))
    await scene.expectSettled()
  })
})

describe.concurrent('a second agent of one host', () => {
  it('K18: in the same data folder is refused; the first one works on', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['job'] })
    const jobs = await scene.queue(['job'], 'sleep 3')
    await scene.running(jobs)
    const second = scene.launchAgent()
    expect(await second.end()).toEqual({ code: 1, signal: null })
    expect(second.stderr).toContain('Another agent uses the folder')
    expect(await scene.ended(jobs)).toEqual(['finished'])
    expect(scene.hubEvents('host.connected')).toHaveLength(1)
    await scene.expectSettled()
  })

  it('K18, W12: on a cloned disk is another installation, and gets nowhere while the first one lives', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['job'] })
    const jobs = await scene.queue(['job'], 'sleep 3')
    await scene.running(jobs)
    const clone = await cloneState(scene)
    const machine = await scene.place.write('machine-id', 'f'.repeat(32))
    // The clone's kernel shows it another machine id, as a cloned machine's would.
    const elsewhere = `mount --bind ${machine} /etc/machine-id && exec "$@"`
    const second = scene.launchAgent({ SLIPWAY_STATE_DIR: clone }, [
      'unshare',
      '-m',
      'sh',
      '-c',
      elsewhere,
      'sh',
    ])
    await second.until('it is refused', () =>
      second.events('agent.disconnected').some(({ code }) => code === 'install-mismatch'),
    )
    expect(scene.hubEvents('host.second-install-refused').length).toBeGreaterThan(0)
    expect(await scene.ended([...jobs, ...(await scene.queue(['job']))])).toEqual(['finished', 'finished'])
    expect(scene.hubEvents('host.connected')).toHaveLength(1)
    expect(second.events('runner.started')).toEqual([])
    second.signal('SIGKILL')
    await second.end()
    await scene.expectSettled()
  })

  it('K18, W12: in a copy of its data folder takes turns with it, and no job is harmed', async (test) => {
    const scene = await Scene.begin(test, { kinds: ['job'] })
    const jobs = await scene.queue(['job', 'job'], 'sleep 5')
    await scene.running(jobs)
    const second = scene.launchAgent({ SLIPWAY_STATE_DIR: await cloneState(scene) })
    await scene.until('the newest session wins', () =>
      scene.agents[0]?.events('agent.disconnected').some(({ code }) => code === 'superseded'),
    )
    const more = await scene.queue(['job', 'job'], 'sleep 2')
    expect(await scene.ended([...jobs, ...more])).toEqual(Array.from({ length: 4 }, () => 'finished'))
    second.signal('SIGKILL')
    await second.end()
    await scene.expectSettled()
  })
})

/** The agent's files as another disk would have them, without the socket that locks them. */
async function cloneState({ place }: Scene): Promise<string> {
  const copy = join(place.path, 'clone')
  for (const name of ['install', 'journal.jsonl'])
    await cp(join(place.stateDir, 'agent', name), join(copy, 'agent', name), { recursive: true })
  return copy
}
