import { getEventListeners } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ANSWER_MAX_BYTES, SOCKET_IDLE_MAX_MS } from '../../../adapters/shipfox/http.ts'
import { createShipfoxSource } from '../../../adapters/shipfox/index.ts'
import { CALL_DEADLINE_MS } from '../../../adapters/shipfox/api.ts'
import { POLL_MARGIN_MS } from '../../../adapters/shipfox/poll.ts'
import {
  EMPTY_POLL,
  failureOf,
  json,
  makeRunnerId,
  makeRunners,
  NEVER,
  optionsFor,
  pollOf,
  ready,
  RESERVATION,
  type Seen,
  serve,
  serveApi,
  systemClock,
  TOKEN,
} from './support.ts'

const OBSERVED = { runners: [], terminated_absent_provider_runner_ids: [] }

describe('the API URL', () => {
  it.each(['', '/', '/shipfox/api', '/shipfox/api/', '/a%20b//'])(
    'keeps the path prefix of "%s"',
    async (prefix) => {
      const server = await serve((seen, response) =>
        seen.path.endsWith('/me')
          ? json(response, 200, { id: 'p', scope: 'workspace' })
          : json(response, 404, { code: 'not-found' }),
      )
      const source = createShipfoxSource(optionsFor(`${server.url}${prefix}`))
      await source.authenticate(NEVER)
      expect(server.seen[0]?.path).toBe(`${prefix.replace(/\/+$/, '')}/provisioners/me`)
      expect(server.seen[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`)
    },
  )

  it.each([
    '',
    'api.test',
    'ftp://api.test',
    'http://user:pw@api.test',
    'http://api.test/?x=1',
    'http://api.test/#x',
  ])('refuses "%s"', (url) => {
    expect(() => createShipfoxSource(optionsFor(url))).toThrow(/SHIPFOX_API_URL/)
  })
})

describe('connections', () => {
  it('are kept for the next call', async () => {
    const server = await serveApi('v2', { '/poll': (_, response) => json(response, 200, EMPTY_POLL) })
    const source = await ready(server)
    for (let call = 0; call < 5; call += 1) await source.poll(pollOf({}), NEVER)
    expect(server.connections()).toBe(1)
  })

  it('L6: a kept connection that idled for long is not used again, whichever clock tells so', async () => {
    const server = await serveApi('v2', { '/poll': (_, response) => json(response, 200, EMPTY_POLL) })
    const skew = { wallMs: 0, monotonicMs: 0 }
    const clock = {
      ...systemClock,
      now: () => systemClock.now() + skew.wallMs,
      monotonicMs: () => systemClock.monotonicMs() + skew.monotonicMs,
    }
    const source = await ready(server, { clock })
    expect(server.connections()).toBe(1)
    skew.wallMs += SOCKET_IDLE_MAX_MS + 1
    await source.poll(pollOf({}), NEVER)
    expect(server.connections()).toBe(2)
    skew.monotonicMs += SOCKET_IDLE_MAX_MS + 1
    await source.poll(pollOf({}), NEVER)
    expect(server.connections()).toBe(3)
  })

  /** The server takes the request from a kept connection and cuts it: what a client sees of a frozen socket. */
  const cutsKeptConnections = () => {
    const used = new WeakSet<object>()
    let cuts = 0
    const cutFirst = (answer: unknown) => (seen: Seen, response: ServerResponse) => {
      if (used.has(seen.socket) && cuts === 0) {
        cuts += 1
        seen.socket.resetAndDestroy()
      } else json(response, 200, answer)
    }
    const markUsed = (seen: Seen, response: ServerResponse) => {
      used.add(seen.socket)
      json(response, 200, { id: 'p', scope: 'workspace' })
    }
    return { cutFirst, markUsed }
  }

  it('L6: a call that may be repeated is repeated once, at once, on a new connection', async () => {
    const { cutFirst, markUsed } = cutsKeptConnections()
    const server = await serveApi('v2', { '/me': markUsed, '/reconcile': cutFirst(OBSERVED) })
    const source = await ready(server)
    await expect(source.reconcile([makeRunnerId()], NEVER)).resolves.toEqual([])
    expect(server.seen.filter(({ path }) => path.endsWith('/reconcile'))).toHaveLength(2)
  })

  it('L6: the repeat takes no other kept connection, which may be as dead', async () => {
    const used = new WeakSet<object>()
    const server = await serveApi('v2', {
      '/me': (seen, response) => {
        used.add(seen.socket)
        json(response, 200, { id: 'p', scope: 'workspace' })
      },
      '/reconcile': (seen, response) => {
        if (used.has(seen.socket)) seen.socket.resetAndDestroy()
        else json(response, 200, OBSERVED)
      },
    })
    const source = await ready(server, { protocol: 'v2' })
    await Promise.all([1, 2, 3].map(() => source.authenticate(NEVER)))
    await expect(source.reconcile([makeRunnerId()], NEVER)).resolves.toEqual([])
  })

  it('L6: a poll is not: its outcome is unknown', async () => {
    const { cutFirst, markUsed } = cutsKeptConnections()
    const server = await serveApi('v2', { '/me': markUsed, '/poll': cutFirst(EMPTY_POLL) })
    const source = await ready(server)
    expect((await failureOf(source.poll(pollOf({}), NEVER))).kind).toBe('unknown-outcome')
    expect(server.seen.filter(({ path }) => path.endsWith('/poll'))).toHaveLength(1)
  })

  it('a call is repeated a bounded number of times', async () => {
    const server = await serveApi('v2', { '/reconcile': (seen) => void seen.socket.resetAndDestroy() })
    const source = await ready(server)
    const failure = await failureOf(source.reconcile([makeRunnerId()], NEVER))
    expect(failure.kind).toBe('unavailable')
    expect(server.seen.filter(({ path }) => path.endsWith('/reconcile'))).toHaveLength(2)
  })
})

describe('a server that can not be reached', () => {
  it('is unavailable, and the message names its URL and the cause', async () => {
    const port = await closedPort()
    const source = createShipfoxSource(optionsFor(`http://127.0.0.1:${port}/prefix/`))
    const failure = await failureOf(source.authenticate(NEVER))
    expect(failure.kind).toBe('unavailable')
    expect(failure.message).toContain(`http://127.0.0.1:${port}/prefix:`)
    expect(failure.message).toContain('ECONNREFUSED')
    expect(failure.cause).toBeInstanceOf(Error)
  })

  it.each(['http', 'https'])(
    'speaks something else than %s: nothing was taken for an answer',
    async (scheme) => {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy())
        socket.end('SSH-2.0-not-http\r\n')
      })
      const port = await new Promise<number>((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
      })
      onTestFinished(() => void server.close())
      const source = createShipfoxSource(optionsFor(`${scheme}://127.0.0.1:${port}`, { protocol: 'v2' }))
      const failure = await failureOf(source.authenticate(NEVER))
      expect(failure.kind).toBe('unavailable')
      expect(failure.message).toContain(`${scheme}://127.0.0.1:${port}`)
    },
  )

  it('over TLS, a poll that fails in the handshake surely had no effect', async () => {
    const plain = await serve((_, response) => json(response, 200, {}))
    const source = createShipfoxSource(optionsFor(plain.url.replace('http:', 'https:')))
    const failure = await failureOf(source.authenticate(NEVER))
    expect(failure.kind).toBe('unavailable')
    expect(failure.message).toMatch(/TLS/)
    expect(failure.cause).toMatchObject({ sent: false })
    expect(plain.seen).toHaveLength(0)
  })
})

describe('an answer that does not come as it should', () => {
  const cuts: [name: string, answer: (response: ServerResponse, seen: Seen) => void][] = [
    ['no answer, connection closed', (_, seen) => seen.socket.destroy()],
    ['no answer, connection reset', (_, seen) => seen.socket.resetAndDestroy()],
    [
      'half an answer',
      (response, seen) => {
        response.writeHead(200, { 'content-length': 100 }).write('{"stats":[],', () => seen.socket.destroy())
      },
    ],
    [
      'half an answer in chunks',
      (response, seen) => {
        response.writeHead(200).write('{"stats":[],', () => seen.socket.destroy())
      },
    ],
    ['500', (response) => json(response, 500, { code: 'server-error' })],
    ['502 of a proxy', (response) => response.writeHead(502).end('<html>')],
  ]
  it.each(cuts)('G6, R1: %s leaves a poll unknown, and the next one is sound', async (_, answer) => {
    let broken = true
    const server = await serveApi('v1', {
      '/poll': (seen, response) => (broken ? answer(response, seen) : json(response, 200, EMPTY_POLL)),
    })
    const source = await ready(server)
    expect((await failureOf(source.poll(pollOf({ a: 1 }), NEVER))).kind).toBe('unknown-outcome')
    expect(server.seen.filter(({ path }) => path.endsWith('/poll'))).toHaveLength(1)
    broken = false
    await expect(source.poll(pollOf({ a: 1 }), NEVER)).resolves.toMatchObject({ reservations: [] })
  })

  it.each(cuts)(
    'R1, R4: %s leaves every runner of a mint unknown, and nothing is sent twice',
    async (_, answer) => {
      const server = await serveApi('v1', {
        '/runner-registration-tokens/batch': (seen, response) => answer(response, seen),
      })
      const source = await ready(server)
      const runners = makeRunners(3)
      const mints = await source.mint({ reservation: RESERVATION, runners }, NEVER)
      expect(mints.map((mint) => mint.ok || mint.code)).toEqual([
        'mint-unknown',
        'mint-unknown',
        'mint-unknown',
      ])
      expect(server.seen.filter(({ body }) => body?.reservation_id !== undefined)).toHaveLength(1)
    },
  )

  it.each([
    ['a page', 'text/html', '<html><body>Welcome</body></html>'],
    ['an empty body', 'application/json', ''],
    ['another JSON', 'application/json', '{"status":"ok"}'],
    ['a list', 'application/json', '[]'],
    ['null', 'application/json', 'null'],
    ['no list of cancellations', 'application/json', '{"stats":[],"reservations":[]}'],
    [
      'a count of zero',
      'application/json',
      JSON.stringify({
        ...EMPTY_POLL,
        reservations: [{ reservation_id: 'x', labels: [], count: 0, expires_at: '2026-07-01T12:00:00Z' }],
      }),
    ],
    [
      'a time that is none',
      'application/json',
      JSON.stringify({
        ...EMPTY_POLL,
        reservations: [{ reservation_id: 'x', labels: [], count: 1, expires_at: 'tomorrow' }],
      }),
    ],
  ])('%s is never taken for "none"', async (_, type, body) => {
    const server = await serveApi('v2', {
      '/poll': (_seen, response) => response.writeHead(200, { 'content-type': type }).end(body),
    })
    const source = await ready(server)
    const failure = await failureOf(source.poll(pollOf({ a: 1 }), NEVER))
    expect(failure.kind).toBe('protocol')
    expect(failure.message).toContain(server.url)
  })

  it('X23: a redirect is not followed, so the token does not travel on', async () => {
    const other = await serve((_, response) => json(response, 200, { id: 'p', scope: 'workspace' }))
    const server = await serve((_, response) => response.writeHead(307, { location: `${other.url}/` }).end())
    const failure = await failureOf(createShipfoxSource(optionsFor(server.url)).authenticate(NEVER))
    expect(failure.kind).toBe('protocol')
    expect(failure.message).toContain('redirect')
    expect(other.seen).toHaveLength(0)
  })

  it('an endless answer is cut off', async () => {
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    let sent = 0
    const server = await serveApi('v2', {
      '/poll': (_, response) => {
        const more = (): void => {
          sent += chunk.length
          if (!response.destroyed) response.write(chunk, () => more())
        }
        more()
      },
    })
    const source = await ready(server)
    const failure = await failureOf(source.poll(pollOf({}), NEVER))
    expect(failure.kind).toBe('protocol')
    expect(sent).toBeLessThan(4 * ANSWER_MAX_BYTES)
  })
})

describe('deadlines', () => {
  it('L7, R6: a poll that hangs ends soon after its hold', async () => {
    const timers = watchTimers()
    const server = await serveApi('v2', { '/poll': () => timers.fire() })
    const source = await ready(server)
    const failure = await failureOf(source.poll(pollOf({}, { waitSeconds: 2 }), NEVER))
    expect(failure.kind).toBe('unknown-outcome')
    expect(failure.message).toContain('deadline')
    expect(timers.armedMs.at(-1)).toBe(2000 + POLL_MARGIN_MS)
  })

  it('L7: so does every other call', async () => {
    const timers = watchTimers()
    const server = await serveApi('v2', { '/reconcile': () => timers.fire() })
    const source = await ready(server)
    const failure = await failureOf(source.reconcile([makeRunnerId()], NEVER))
    expect(failure.kind).toBe('unavailable')
    expect(timers.armedMs.at(-1)).toBe(CALL_DEADLINE_MS)
  })

  it('a call ends when its caller gives up, and leaves no timer and no listener', async () => {
    const timers = watchTimers()
    const controller = new AbortController()
    const server = await serveApi('v2', { '/poll': () => controller.abort() })
    const source = await ready(server)
    const failure = await failureOf(source.poll(pollOf({}, { waitSeconds: 30 }), controller.signal))
    expect(failure.kind).toBe('unknown-outcome')
    expect(timers.open()).toBe(0)
  })

  it('a signal that lives longer than its calls keeps nothing of them', async () => {
    const { signal } = new AbortController()
    const server = await serveApi('v2', { '/poll': (_, response) => json(response, 200, EMPTY_POLL) })
    const source = await ready(server)
    await source.poll(pollOf({}), signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('L8: a signal that was aborted before keeps the call from being made', async () => {
    const server = await serveApi('v2', {})
    const source = await ready(server)
    const calls = server.seen.length
    const signal = AbortSignal.abort()
    for (const call of [
      source.authenticate(signal),
      source.poll(pollOf({}), signal),
      source.mint({ reservation: RESERVATION, runners: makeRunners(1) }, signal),
      source.reconcile([makeRunnerId()], signal),
    ])
      expect((await failureOf(call)).kind).toBe('unavailable')
    expect(server.seen).toHaveLength(calls)
  })
})

/** Watches the deadlines of our own calls, and lets the newest one pass at once. */
function watchTimers(): { armedMs: number[]; fire: () => void; open: () => number } {
  const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout }
  const open = new Map<unknown, () => void>()
  const armedMs: number[] = []
  const set = (run: () => void, ms: number, ...rest: []): unknown => {
    const timer = real.set(run, ms, ...rest)
    if (ms >= CALL_DEADLINE_MS) {
      armedMs.push(ms)
      open.set(timer, run)
    }
    return timer
  }
  globalThis.setTimeout = set as typeof setTimeout
  globalThis.clearTimeout = ((timer: NodeJS.Timeout) => {
    open.delete(timer)
    real.clear(timer)
  }) as typeof clearTimeout
  onTestFinished(() => {
    globalThis.setTimeout = real.set
    globalThis.clearTimeout = real.clear
  })
  return { armedMs, fire: () => [...open.values()].at(-1)?.(), open: () => open.size }
}

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
  await new Promise((resolve) => server.close(resolve))
  return port
}
