import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, call, job, pollBody, startBench, template } from './client.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

describe('the fault proxy', () => {
  let bench: Bench
  let proxy: FaultProxy

  beforeEach(async () => {
    bench = await startBench({ protocol: 'v1' })
    proxy = await startFaultProxy(bench.sandbox.url)
  })
  afterEach(async () => {
    await proxy.close()
    await bench.sandbox.close()
  })

  const me = (signal?: AbortSignal) =>
    call(proxy.url, 'GET', '/provisioners/me', undefined, signal === undefined ? {} : { signal })
  const poll = () => call(proxy.url, 'POST', '/provisioners/demand/poll', pollBody([template(['linux'], 5)]))

  it('passes on what no rule matches', async () => {
    proxy.inject({ fault: { kind: 'refuse' }, path: /poll/ })
    expect((await me()).status).toBe(200)
    expect(proxy.requests).toEqual([{ method: 'GET', path: '/provisioners/me', fault: null }])
  })

  it('answers a status in place of the server, as often as asked', async () => {
    proxy.inject({
      fault: { kind: 'status', status: 429, code: 'rate-limited', headers: { 'retry-after': '7' } },
      times: 1,
    })
    const limited = await me()
    expect([limited.status, limited.body, limited.headers.get('retry-after')]).toEqual([
      429,
      { code: 'rate-limited' },
      '7',
    ])
    expect((await me()).status).toBe(200)
  })

  it('R1: loses the reply of a grant, which then stays blocked', async () => {
    bench.sandbox.enqueue([job(['linux'])])
    proxy.inject({ fault: { kind: 'lost-reply' }, times: 1 })
    await expect(poll()).rejects.toThrow(/fetch failed/)
    expect(bench.sandbox.stats().reservedUnits).toBe(1)
    expect((await poll()).body.reservations).toEqual([])
  })

  it('G6: cuts a body in the middle', async () => {
    proxy.inject({ fault: { kind: 'truncate' } })
    await expect(me()).rejects.toThrow(/terminated/)
  })

  it('never reaches the server when it refuses or hangs', async () => {
    bench.sandbox.enqueue([job(['linux'])])
    proxy.inject({ fault: { kind: 'refuse' }, times: 1 })
    await expect(poll()).rejects.toThrow(/fetch failed/)
    proxy.inject({ fault: { kind: 'hang' }, times: 1 })
    await expect(me(AbortSignal.timeout(100))).rejects.toThrow(/timeout/)
    expect(bench.sandbox.stats().reservedUnits).toBe(0)
  })
})
