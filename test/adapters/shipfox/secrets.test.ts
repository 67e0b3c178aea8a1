import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createShipfoxSource } from '../../../adapters/shipfox/index.ts'
import { quote } from '../../../adapters/shipfox/redact.ts'
import {
  json,
  makeRunnerId,
  makeRunners,
  NEVER,
  optionsFor,
  pollOf,
  RESERVATION,
  serve,
  TOKEN,
} from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const CANARY = TOKEN.slice('sf_pt_'.length)

/** Everything that a log or a crash report could print of an error. */
function printed(error: unknown): string {
  return [
    inspect(error, { depth: 10, showHidden: true }),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
    String(error),
    error instanceof Error ? error.stack : '',
  ].join('\n')
}

/** Every way in which a server may send back what it was sent. */
const echoes: [name: string, (auth: string, response: ServerResponse, socket: Socket) => void][] = [
  [
    'message',
    (auth, response) => json(response, 400, { code: 'validation-error', message: `bad header ${auth}` }),
  ],
  ['message, bare', (_, response) => json(response, 400, { code: 'validation-error', message: CANARY })],
  [
    'message, in base64',
    (auth, response) =>
      json(response, 400, { code: 'validation-error', message: Buffer.from(auth).toString('base64') }),
  ],
  ['code', (auth, response) => json(response, 401, { code: auth })],
  ['code, bare', (_, response) => json(response, 401, { code: CANARY })],
  [
    'details',
    (auth, response) =>
      json(response, 409, {
        code: 'registration-token-active',
        details: { auth, provider_runner_ids: [auth] },
      }),
  ],
  [
    'redirect',
    (auth, response) => response.writeHead(302, { location: `http://127.0.0.1/${auth.slice(7)}` }).end(),
  ],
  ['retry-after', (auth, response) => json(response, 429, { code: 'rate-limited' }, { 'retry-after': auth })],
  ['body that is not JSON', (auth, response) => response.writeHead(200).end(auth)],
  [
    'body with another shape',
    (auth, response) =>
      json(response, 200, {
        [auth]: auth,
        stats: auth,
        tokens: [auth],
        runner_instances: [{ runner_instance_id: auth }],
      }),
  ],
  ['body of a 500', (auth, response) => response.writeHead(500).end(auth)],
  ['packet that is not HTTP', (auth, _, socket) => socket.end(`HTTP/1.1 OK ${auth}\r\n\r\n`)],
  ['header that is not HTTP', (auth, _, socket) => socket.end(`HTTP/1.1 200 OK\r\n${auth}\r\n\r\n`)],
]

describe.each(['v1', 'v2'] as const)('X18: the canary token, with %s', (protocol) => {
  it.each(echoes)('echoed in %s, it is in no error, log or answer', async (_, echo) => {
    let good = true
    const server = await serve((seen, response) => {
      if (good) return json(response, 200, { id: 'p', scope: 'workspace' })
      echo(seen.headers.authorization ?? '', response, seen.socket)
    })
    const log = new EventRecorder()
    const source = createShipfoxSource(optionsFor(server.url, { log, protocol }))
    await source.authenticate(NEVER)
    good = false
    const runner = makeRunnerId()
    const report = {
      id: runner,
      template: 'a',
      labels: ['a'],
      reservation: null,
      state: 'running',
      reason: null,
      at: 0,
    }
    const results = await Promise.allSettled([
      source.authenticate(NEVER),
      source.poll(pollOf({ a: 1 }), NEVER),
      source.mint({ reservation: RESERVATION, runners: makeRunners(1) }, NEVER),
      source.report([report as never], NEVER),
      source.reconcile([runner], NEVER),
    ])
    const all = [
      ...results.map((result) =>
        result.status === 'rejected' ? printed(result.reason) : inspect(result.value, { depth: 10 }),
      ),
      inspect(log.all, { depth: 10 }),
    ].join('\n')
    expect(all).not.toContain(CANARY)
    expect(all).not.toContain(Buffer.from(CANARY).toString('base64').slice(0, 20))
    expect(all).not.toContain(Buffer.from(`Bearer ${TOKEN}`).toString('base64').slice(8, 40))
    const thrown = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
    expect(new Set(thrown.map(({ name }) => name))).toEqual(new Set(['SourceError']))
  })
})

describe('what is quoted of a server', () => {
  it('is one line of readable length without tokens', () => {
    expect(quote('fine: 0198f000-0000-7000-8000-000000000001')).toBe(
      'fine: 0198f000-0000-7000-8000-000000000001',
    )
    expect(quote('a\r\n\u001b[31mb')).toBe('a [31mb')
    expect(quote(`x ${TOKEN} y sf_ert_abc z`)).toBe('x [secret] y [secret] z')
    expect(quote('word '.repeat(1000)).length).toBeLessThan(310)
  })
})
