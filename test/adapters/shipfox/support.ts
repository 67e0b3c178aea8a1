import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { createShipfoxSource, type ShipfoxOptions } from '../../../adapters/shipfox/index.ts'
import {
  newRunnerId,
  type PollRequest,
  reservationId,
  type RunnerId,
  Secret,
  sourceId,
  type Template,
  templateKey,
} from '../../../core/model/index.ts'
import type { Clock, DemandSource, MintRequest, SourceError } from '../../../core/ports/index.ts'
import { SILENT_LOG } from '../../support/event-recorder.ts'
import { template } from '../../support/template.ts'

export const TOKEN = `sf_pt_${'Kq7-_xZ3'.repeat(5)}abc`
export const NEVER = new AbortController().signal
export const RESERVATION = reservationId('0198f000-0000-4000-8000-000000000001')

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
  },
}

export function optionsFor(apiUrl: string, changes: Partial<ShipfoxOptions> = {}): ShipfoxOptions {
  return {
    id: sourceId('shipfox'),
    apiUrl,
    token: new Secret(TOKEN),
    protocol: 'auto',
    runnerApiUrl: 'http://runners.test/api/',
    maxReservations: 250,
    mintBatchMax: { v1: 250, v2: 250 },
    pollWaitSecondsMax: 30,
    pollIntervalMs: 1000,
    pollIntervalMaxMs: 5000,
    reportIntervalMs: 1000,
    registrationDeadlineMs: 120_000,
    runnerPollMaxDurationMs: 300_000,
    clock: systemClock,
    log: SILENT_LOG,
    ...changes,
  }
}

/** What the bodies of our requests may hold; a request has some of it. */
export interface WireBody {
  readonly reservation_id?: string
  readonly reservation_ttl_seconds?: number
  readonly max_reservations: number
  readonly templates: readonly { readonly available_slots: number }[]
  readonly runner_instances: readonly { readonly provider_runner_id: string }[]
  readonly provider_runner_id: string
  readonly events: readonly { readonly provider_runner_id: string; readonly state: string }[]
  readonly observed_provider_runner_ids: readonly string[]
}

/** Answers one request. */
export type Handler = (seen: Seen, response: ServerResponse) => void

/** A request as a server of the tests sees it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: WireBody
  readonly socket: Socket
}

export interface Server {
  readonly url: string
  readonly seen: Seen[]
  /** Connections accepted so far. */
  readonly connections: () => number
}

/** A server that answers as the test says; it ends with the test. */
export async function serve(answer: Handler): Promise<Server> {
  const seen: Seen[] = []
  let connections = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => response.destroy())
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const one: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(text === '' ? '{}' : text),
        socket: request.socket,
      }
      seen.push(one)
      answer(one, response)
    })
  })
  server.on('connection', () => (connections += 1))
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${port}`, seen, connections: () => connections }
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

const ME = { id: '0198f000-0000-4000-8000-0000000000aa', scope: 'workspace' }

/** A server of one generation whose answers to single calls the test replaces. `path` ends with the call's. */
export async function serveApi(generation: 'v1' | 'v2', answers: Record<string, Handler>): Promise<Server> {
  return serve((seen, response) => {
    const [, own] = Object.entries(answers).find(([path]) => seen.path.endsWith(path)) ?? []
    const isProbe =
      seen.path.endsWith('/runner-registration-tokens/batch') && seen.body.reservation_id === undefined
    if (own !== undefined && !isProbe) return own(seen, response)
    if (seen.path.endsWith('/provisioners/me')) return json(response, 200, ME)
    if (isProbe && generation === 'v1')
      return json(response, 400, { code: 'validation-error', message: '[body] reservation_id' })
    return json(response, 404, { code: 'not-found' })
  })
}

/** A source that has authenticated. */
export async function ready(server: Server, changes: Partial<ShipfoxOptions> = {}): Promise<DemandSource> {
  const source = createShipfoxSource(optionsFor(server.url, changes))
  await source.authenticate(NEVER)
  return source
}

export function makeTemplate(key = 'small', labels: readonly string[] = ['docker', 'small']): Template {
  return template(key, { labels })
}

export function makeRunners(count: number, template = makeTemplate()): MintRequest['runners'] {
  return Array.from({ length: count }, () => ({ id: makeRunnerId(), template }))
}

export function makeRunnerId(): RunnerId {
  return newRunnerId(Date.now(), crypto.getRandomValues(new Uint8Array(10)))
}

export function pollOf(slots: Record<string, number>, changes: Partial<PollRequest> = {}): PollRequest {
  return {
    capacity: Object.entries(slots).map(([key, available]) => ({
      template: templateKey(key),
      labels: ['docker', key],
      available,
      starting: 0,
      running: 0,
    })),
    maxReservations: 100,
    waitSeconds: 0,
    ...changes,
  }
}

export const EMPTY_POLL = { stats: [], reservations: [], terminate_provider_runner_ids: [] }

/** The error that a call must throw. */
export async function failureOf(call: Promise<unknown>): Promise<SourceError> {
  const failed = await call.then(
    () => null,
    (thrown: unknown) => thrown as SourceError,
  )
  if (failed === null) throw new Error('The call should have thrown.')
  if (failed.name !== 'SourceError') throw failed
  return failed
}
