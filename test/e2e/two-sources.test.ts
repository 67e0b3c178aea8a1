import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Job, type Sandbox, type SandboxEvent, startSandbox } from '../../sandbox/index.ts'
import { type FaultProxy, startFaultProxy } from '../sandbox/fault-proxy.ts'
import { Fleet } from './fleet.ts'
import { eventually } from '../support/eventually.ts'
import { statesOf } from './world.ts'

const RUNNERS_MAX = 3

let fleet: Fleet
let first: { sandbox: Sandbox; proxy: FaultProxy }
let second: { sandbox: Sandbox; proxy: FaultProxy }
/** What happened at either source, in order. */
const told: { source: string; event: SandboxEvent }[] = []

async function openSource(source: string, protocol: 'v1' | 'v2') {
  const onEvent = (event: SandboxEvent): void => void told.push({ source, event })
  const sandbox = await startSandbox({ protocol, dataDir: null, onEvent })
  return { sandbox, proxy: await startFaultProxy(sandbox.url) }
}

beforeAll(async () => {
  first = await openSource('first', 'v2')
  second = await openSource('second', 'v2')
  fleet = await Fleet.open({
    engine: 'process',
    sources: [
      { id: 'first', sandbox: first.sandbox, url: first.proxy.url },
      { id: 'second', sandbox: second.sandbox, url: second.proxy.url },
    ],
    hosts: [{ id: 'local', caps: { runners: RUNNERS_MAX } }],
    templates:
      'templates:\n  any: { labels: [e2e], image: any, cpu: 0.1, memory: 64MiB, max_concurrency: 50 }\n',
  })
})

afterAll(async () => {
  await fleet.close()
  for (const { sandbox, proxy } of [first, second]) {
    await proxy.close()
    await sandbox.close()
  }
})

function queue({ sandbox }: { sandbox: Sandbox }, count: number): readonly Job[] {
  const job = { labels: ['e2e'], command: 'sleep 1; echo $SLIPWAY_NONCE' }
  return sandbox.enqueue(Array.from({ length: count }, () => job))
}

async function ended({ sandbox }: { sandbox: Sandbox }): Promise<void> {
  const open = () => sandbox.stats().jobs.queued + sandbox.stats().jobs.claimed
  await eventually('every job of the source ends', () => open() === 0)
  expect([...new Set(statesOf(sandbox.jobs()))]).toEqual(['finished'])
}

describe('two sources with one small fleet', () => {
  it('never have more containers at once than there are slots, and both get on', async () => {
    queue(first, 6)
    queue(second, 6)
    await Promise.all([ended(first), ended(second)])
    expect(fleet.host('local').peak('all')).toBe(RUNNERS_MAX)
    // Neither had to wait for the other to be done.
    const finished = told.filter(({ event }) => event.type === 'job.finished').map(({ source }) => source)
    const half = new Set(finished.slice(0, 6))
    expect([...half].toSorted()).toEqual(['first', 'second'])
  })

  it('R6: one that hangs does not delay the other, and gets on when it answers again', async () => {
    first.proxy.inject({ fault: { kind: 'hang' } })
    await eventually(
      'the first hangs',
      () => first.proxy.requests.filter(({ fault }) => fault === 'hang').length >= 1,
    )
    queue(first, 2)
    const queuedAt = Date.now()
    queue(second, 3)
    await ended(second)
    const claims = told.flatMap(({ source, event }) => {
      return source === 'second' && event.type === 'job.claimed' && event.queuedAt >= queuedAt ? [event] : []
    })
    expect(claims).toHaveLength(3)
    for (const { at, queuedAt: waitingSince } of claims) expect(at - waitingSince).toBeLessThan(20_000)
    first.proxy.clear()
    await ended(first)
    expect(fleet.host('local').peak('all')).toBeLessThanOrEqual(RUNNERS_MAX)
  })
})
