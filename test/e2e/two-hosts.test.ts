import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { hostId } from '../../core/model/index.ts'
import { newAgentToken } from '../../platform/agent-token.ts'
import { type Job, type Sandbox, startSandbox } from '../../sandbox/index.ts'
import { Fleet } from './fleet.ts'
import { eventually } from '../support/eventually.ts'
import { demoImage, onBridge, statesOf } from './world.ts'

/** Live runners of one template on one host, and of any on the second host. */
const PER_HOST_MAX = 1
const SECOND_HOST_MAX = 3

let sandbox: Sandbox
let fleet: Fleet

beforeAll(async () => {
  const image = await demoImage()
  const rest = `image: "${image}", cpu: 0.2, memory: 64MiB, max_concurrency: 50`
  sandbox = await startSandbox({ protocol: 'v2', dataDir: null, host: await onBridge() })
  fleet = await Fleet.open({
    engine: 'docker',
    sources: [{ id: 'one', sandbox, url: sandbox.url }],
    hosts: [{ id: 'local' }, { id: 'second', tags: ['spare'], caps: { runners: SECOND_HOST_MAX } }],
    templates: [
      'templates:',
      `  spread: { labels: [e2e, spread], hosts: all, ${rest} }`,
      `  narrow: { labels: [e2e, narrow], hosts: [local, spare], per_host: ${PER_HOST_MAX}, ${rest} }`,
      `  away: { labels: [e2e, away], hosts: [spare], ${rest} }`,
      `  home: { labels: [e2e, home], ${rest} }`,
      `  spoiled: { labels: [e2e, spoiled], hosts: all, ${rest} }`,
    ].join('\n'),
  })
  // A host is used once it has said that it has the image: jobs for one host alone wait for that.
  await Promise.all([run('home', 1), run('away', 1)])
})

afterAll(async () => {
  await fleet.close()
  await sandbox.close()
})

async function run(kind: string, count: number, command = 'sleep 1'): Promise<readonly Job[]> {
  const job = { labels: ['e2e', kind], command: `${command}; echo $SLIPWAY_NONCE` }
  const ids = new Set(sandbox.enqueue(Array.from({ length: count }, () => job)).map(({ id }) => id))
  const all = () => sandbox.jobs().filter(({ labels }) => labels.includes(kind))
  await eventually(`${count} ${kind} jobs end`, () => all().every(({ state }) => state === 'finished'))
  await eventually('their runners are gone', () => sum(fleet.finishedOn(kind)) === all().length)
  return all().filter(({ id }) => ids.has(id))
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

describe('two hosts with one hub', () => {
  it('H5: take the containers of a template in turn, and a burst together', async () => {
    for (const turn of [1, 2, 3, 4])
      expect(statesOf(await run('spread', 1, 'true')), `turn ${turn}`).toEqual(['finished'])
    expect(fleet.finishedOn('spread')).toEqual({ local: 2, second: 2 })
    await run('spread', 4)
    const { local = 0, second = 0 } = fleet.finishedOn('spread')
    expect([local > 2, second > 2, local + second]).toEqual([true, true, 8])
  })

  it('H5: keep under the cap of the template on a host, and under that of the host: the smaller wins', async () => {
    await Promise.all([run('narrow', 4), run('away', 5)])
    expect(fleet.finishedOn('narrow')).toMatchObject({
      local: expect.any(Number),
      second: expect.any(Number),
    })
    expect([fleet.host('local').peak('narrow'), fleet.host('second').peak('narrow')]).toEqual([1, 1])
    expect(fleet.finishedOn('away')).toEqual({ second: 6 })
    // The second host was full, and never fuller.
    expect(fleet.host('second').peak('all')).toBe(SECOND_HOST_MAX)
  })

  it('H4: leave a template that names no hosts to the local one', async () => {
    await run('home', 3)
    expect(fleet.finishedOn('home')).toEqual({ local: 4 })
    expect(fleet.host('second').peak('home')).toBe(0)
  })

  it('H7: one that fails every start of a template backs off alone, and delays nobody', async () => {
    fleet.host('second').refuses.add('spoiled')
    const before = Date.now()
    await run('spoiled', 4)
    expect(fleet.finishedOn('spoiled')).toEqual({ local: 4 })
    const backings = fleet.log.events('host.backing-off')
    expect(backings.map(({ host, template }) => [host, template])).toContainEqual(['second', 'spoiled'])
    expect(backings.filter(({ host }) => host === 'local')).toEqual([])
    // A failed start gives its unit back: a lost one takes a minute.
    expect(Date.now() - before).toBeLessThan(50_000)
    // Its other templates are served there as before.
    const spread = fleet.finishedOn('spread')['second'] ?? 0
    await run('spread', 2)
    expect(fleet.finishedOn('spread')['second']).toBe(spread + 1)
  })

  it('H7: one that is offline is skipped, and taken again when it is back', async () => {
    await fleet.host('second').stop()
    await eventually('it is offline', async () => (await fleet.host('second').state()) === 'offline')
    const before = fleet.finishedOn('spread')
    await run('spread', 3)
    expect(fleet.finishedOn('spread')).toEqual({ ...before, local: (before['local'] ?? 0) + 3 })
    await fleet.host('second').start()
    await run('away', 1)
    expect(fleet.finishedOn('away')).toEqual({ second: 7 })
  })

  it('X6: an agent with a wrong token is refused, and changes nothing for the right one', async () => {
    const second = fleet.host('second')
    await second.stop()
    const wrong = newAgentToken(hostId('second'))
    const intruder = new AbortController()
    const end = second.run(wrong, intruder.signal)
    const refused = eventually('the hub refuses it', () =>
      fleet.log.events('agent.token-refused').some(({ reason }) => reason.includes('second')),
    )
    // Fresh installations end with the refusal; one that was let in before waits for a person.
    await Promise.race([refused, end.catch(() => {})])
    expect(await second.state()).toBe('offline')
    intruder.abort()
    await end.catch(() => {})
    expect(JSON.stringify(fleet.log.all)).not.toContain(wrong.reveal())
    await second.start()
    await run('away', 1)
  })

  it.each([
    ['no header at all', undefined, 401],
    ['a token of no host', 'Bearer sla_nobody_0123456789012345678901234567890123456789012', 403],
    ['a provisioner token', `Bearer sf_pt_${'x'.repeat(43)}`, 403],
    ['another scheme', 'Basic bG9jYWw6bG9jYWw=', 403],
  ])('X6: a connection with %s is not let in', async (_what, authorization, status) => {
    const socket = new WebSocket(fleet.url, authorization === undefined ? {} : { headers: { authorization } })
    const answered = await new Promise((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode))
      socket.once('open', () => resolve('open'))
      socket.once('error', resolve)
    })
    socket.terminate()
    expect(answered).toBe(status)
  })
})
