import { describe, expect, it } from 'vitest'
import { createShipfoxSource } from '../../../adapters/shipfox/index.ts'
import { Secret } from '../../../core/model/index.ts'
import { failureOf, json, NEVER, optionsFor, pollOf, ready, serve, serveApi } from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

describe('authenticate', () => {
  it('finds out that a server is of v1, and its limits', async () => {
    const server = await serveApi('v1', {})
    const source = createShipfoxSource(
      optionsFor(server.url, { mintBatchMax: { v1: 1000, v2: 1000 }, pollWaitSecondsMax: 90 }),
    )
    await expect(source.authenticate(NEVER)).resolves.toEqual({
      templatesMax: 100,
      mintBatchMax: 500,
      mintCalls: { max: 120, windowMs: 60_000 },
      reservationsMax: 250,
      pollWaitSecondsMax: 30,
      pollIntervalMs: 1000,
      pollIntervalMaxMs: 5000,
      reportIntervalMs: 1000,
      registrationDeadlineMs: 120_000,
      reservationTtlMs: 60_000,
      warm: false,
    })
  })

  it('finds out that a server is of v2, and its limits', async () => {
    const server = await serveApi('v2', {})
    const source = createShipfoxSource(optionsFor(server.url))
    await expect(source.authenticate(NEVER)).resolves.toMatchObject({
      templatesMax: 1000,
      mintCalls: null,
      warm: true,
    })
  })

  it.each([
    [120_000, 60_000],
    [60_000, 60_000],
    [30_500, 30_000],
    [10, 1000],
  ])('with a registration deadline of %i ms asks v2 for reservations of %i ms', async (deadline, ttl) => {
    const server = await serveApi('v2', {
      '/poll': (_, response) =>
        json(response, 200, { stats: [], reservations: [], terminate_provider_runner_ids: [] }),
    })
    const source = createShipfoxSource(optionsFor(server.url, { registrationDeadlineMs: deadline }))
    expect((await source.authenticate(NEVER)).reservationTtlMs).toBe(ttl)
    await source.poll(pollOf({}), NEVER)
    expect(server.seen.at(-1)?.body.reservation_ttl_seconds).toBe(ttl / 1000)
  })

  it.each(['v1', 'v2'] as const)('does not probe where %s was chosen', async (protocol) => {
    const server = await serveApi(protocol, {})
    await createShipfoxSource(optionsFor(server.url, { protocol })).authenticate(NEVER)
    expect(server.seen.map(({ path }) => path)).toEqual(['/provisioners/me'])
  })

  it('sees that a server was upgraded', async () => {
    let generation: 'v1' | 'v2' = 'v1'
    const server = await serve((seen, response) => {
      if (seen.method === 'GET') return json(response, 200, { id: 'p', scope: 'workspace' })
      return generation === 'v1'
        ? json(response, 400, { code: 'validation-error', message: '[body] x' })
        : json(response, 404, { code: 'not-found' })
    })
    const source = createShipfoxSource(optionsFor(server.url))
    expect((await source.authenticate(NEVER)).warm).toBe(false)
    generation = 'v2'
    expect((await source.authenticate(NEVER)).warm).toBe(true)
  })

  it('accepts an installation token on v2 and refuses it on v1, whose mint would', async () => {
    const serveInstallation = (status: number, code: string) =>
      serve((seen, response) =>
        seen.method === 'GET'
          ? json(response, 200, { id: 'p', scope: 'installation' })
          : json(response, status, { code }),
      )
    const v2 = await serveInstallation(404, 'not-found')
    await expect(createShipfoxSource(optionsFor(v2.url)).authenticate(NEVER)).resolves.toMatchObject({
      warm: true,
    })
    const v1 = await serveInstallation(403, 'forbidden')
    const failure = await failureOf(createShipfoxSource(optionsFor(v1.url)).authenticate(NEVER))
    expect(failure.kind).toBe('unauthorized')
    expect(failure.message).toMatch(/workspace token/)
  })

  it.each([
    ['unauthorized', /missing, unknown or of another kind/],
    ['provisioner-token-expired', /expired/],
    ['provisioner-token-revoked', /revoked/],
  ])('401 %s says which, and what to do', async (code, words) => {
    const server = await serve((_, response) => json(response, 401, { code }))
    const failure = await failureOf(createShipfoxSource(optionsFor(server.url)).authenticate(NEVER))
    expect(failure.kind).toBe('unauthorized')
    expect(failure.message).toMatch(words)
    expect(failure.message).toContain('SHIPFOX_PROVISIONER_TOKEN')
  })

  it.each([
    ['', /the configured token does not/],
    ['ghp_123', /the configured token does not/],
    ['sf_pt_with space', /the configured token does not/],
    ['sf_pt_\r\nx: y', /the configured token does not/],
    [`sf_mrt_${'a'.repeat(43)}`, /starts with sf_mrt_/],
    [`sf_ert_${'a'.repeat(43)}`, /starts with sf_ert_/],
  ])('a token of another kind is never sent: "%s"', async (token, words) => {
    const server = await serve((_, response) => json(response, 401, { code: 'unauthorized' }))
    const options = optionsFor(server.url, { token: new Secret(token) })
    const failure = await failureOf(createShipfoxSource(options).authenticate(NEVER))
    expect(failure.kind).toBe('unauthorized')
    expect(failure.message).toMatch(words)
    expect(failure.message).not.toContain('aaaa')
    expect(server.seen).toHaveLength(0)
  })

  it.each([
    [200, 'text/html', '<html>Welcome to nginx</html>'],
    [200, 'application/json', '{"id":"x","scope":"galaxy"}'],
    [404, 'text/html', '<html>Not found</html>'],
    [404, 'application/json', '{"code":"not-found"}'],
    [204, 'text/plain', ''],
  ])('%i %s %s is not the Shipfox API', async (status, type, body) => {
    const server = await serve((_, response) =>
      response.writeHead(status, { 'content-type': type }).end(body),
    )
    const failure = await failureOf(createShipfoxSource(optionsFor(server.url)).authenticate(NEVER))
    expect(failure.kind).toBe('protocol')
    expect(failure.message).toContain('SHIPFOX_API_URL')
  })

  it.each([
    [429, { code: 'rate-limited' }],
    [503, { code: 'runners-rate-limit-unavailable' }],
  ])('a probe that is answered %i has shown the route of v1', async (status, body) => {
    const server = await serve((seen, response) =>
      seen.method === 'GET'
        ? json(response, 200, { id: 'p', scope: 'workspace' })
        : json(response, status, body),
    )
    const limits = await createShipfoxSource(optionsFor(server.url)).authenticate(NEVER)
    expect(limits.mintCalls).not.toBeNull()
  })

  it('a probe that fails decides nothing', async () => {
    const server = await serve((seen, response) =>
      seen.method === 'GET'
        ? json(response, 200, { id: 'p', scope: 'workspace' })
        : json(response, 500, { code: 'server-error' }),
    )
    const failure = await failureOf(createShipfoxSource(optionsFor(server.url)).authenticate(NEVER))
    expect(failure.kind).toBe('unavailable')
  })

  it('comes first', async () => {
    const server = await serveApi('v2', {})
    const source = createShipfoxSource(optionsFor(server.url))
    expect((await failureOf(source.poll(pollOf({}), NEVER))).message).toContain('authenticate')
    expect(server.seen).toHaveLength(0)
  })

  it('logs what it found', async () => {
    const log = new EventRecorder()
    await ready(await serveApi('v1', {}), { log })
    expect(log.all).toEqual([
      { name: 'source.authenticated', source: 'shipfox', generation: 'v1', scope: 'workspace' },
    ])
  })
})
