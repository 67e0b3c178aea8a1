import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../../core/model/index.ts'
import type { Mint } from '../../../core/ports/index.ts'
import { failureOf, json, makeRunners, makeTemplate, NEVER, ready, RESERVATION, serveApi } from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

type Answer = (ids: string[], response: ServerResponse) => void

const tokens: Answer = (ids, response) =>
  json(response, 200, {
    tokens: ids.map((id) => ({
      provider_runner_id: id,
      registration_token: `sf_ert_${id}`,
      expires_at: 'x',
    })),
  })
const refuse =
  (status: number, code: string, details?: (ids: string[]) => unknown, headers = {}): Answer =>
  (ids, response) =>
    json(response, status, { code, ...(details === undefined ? {} : { details: details(ids) }) }, headers)

/** Answers mint calls in turn; the last answer is repeated. Shows the ids of each call. */
async function serveMints(...answers: Answer[]) {
  const calls: string[][] = []
  const server = await serveApi('v1', {
    '/runner-registration-tokens/batch': ({ body }, response) => {
      const ids = body.runner_instances.map(({ provider_runner_id: id }) => id)
      calls.push(ids)
      answers[Math.min(calls.length, answers.length) - 1]!(ids, response)
    },
  })
  return { server, calls }
}

const summary = (mints: readonly Mint[]): Record<string, string> =>
  Object.fromEntries(mints.map((mint) => [mint.runner, mint.ok ? 'ok' : mint.code]))

describe('minting registration tokens (v1)', () => {
  it('gives each runner its token and the environment that its image reads', async () => {
    const { server } = await serveMints(tokens)
    const source = await ready(server)
    const runners = makeRunners(3, makeTemplate('small', ['docker', 'linux']))
    const mints = await source.mint({ reservation: RESERVATION, runners }, NEVER)
    expect(mints).toHaveLength(3)
    for (const [index, mint] of mints.entries()) {
      if (!mint.ok) throw new Error(mint.reason)
      expect(mint.runner).toBe(runners[index]!.id)
      expect(mint.env).toEqual({
        SHIPFOX_API_URL: 'http://runners.test/api/',
        SHIPFOX_RUNNER_LABELS: 'docker,linux',
        SHIPFOX_POLL_MAX_DURATION_MS: '300000',
        SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '3600',
      })
      expect(Object.keys(mint.secretEnv)).toEqual(['SHIPFOX_RUNNER_REGISTRATION_TOKEN'])
      expect(mint.secretEnv['SHIPFOX_RUNNER_REGISTRATION_TOKEN']).toBeInstanceOf(Secret)
      expect(mint.secretEnv['SHIPFOX_RUNNER_REGISTRATION_TOKEN']?.reveal()).toBe(`sf_ert_${mint.runner}`)
    }
    expect(server.seen.at(-1)?.body).toEqual({
      reservation_id: RESERVATION,
      runner_instances: runners.map(({ id }) => ({ provider_runner_id: id })),
    })
  })

  it('tells runners the lifetime of the owner instead of the one of their template', async () => {
    const { server } = await serveMints(tokens)
    const source = await ready(server, { runnerMaxLifetimeSeconds: 90 })
    const [mint] = await source.mint({ reservation: RESERVATION, runners: makeRunners(1) }, NEVER)
    expect(mint).toMatchObject({ env: { SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '90' } })
  })

  it('asks for nothing where nothing is wanted, or nothing is available', async () => {
    const { server, calls } = await serveMints(tokens)
    const source = await ready(server)
    expect(await source.mint({ reservation: RESERVATION, runners: [] }, NEVER)).toEqual([])
    const warm = await source.mint({ reservation: null, runners: makeRunners(2) }, NEVER)
    expect(Object.values(summary(warm))).toEqual(['mint-refused', 'mint-refused'])
    expect(calls).toEqual([])
  })

  it.each([
    [404, 'reservation-not-found'],
    [409, 'reservation-expired'],
  ])('%i %s ends all of its runners', async (status, code) => {
    const { server, calls } = await serveMints(refuse(status, code))
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER)
    expect(Object.values(summary(mints))).toEqual(['reservation-expired', 'reservation-expired'])
    expect(calls).toHaveLength(1)
  })

  it('a batch beyond the reservation is cut to what is left, once', async () => {
    const exceeds = refuse(409, 'batch-exceeds-reservation', (ids) => ({
      requested: ids.length,
      reservation_count: 5,
      already_minted: 3,
    }))
    const { server, calls } = await serveMints(exceeds, tokens)
    const source = await ready(server)
    const runners = makeRunners(4)
    const mints = summary(await source.mint({ reservation: RESERVATION, runners }, NEVER))
    expect(runners.map(({ id }) => mints[id])).toEqual(['ok', 'ok', 'mint-refused', 'mint-refused'])
    expect(calls.map((ids) => ids.length)).toEqual([4, 2])
  })

  it.each([
    ['says the same again', { requested: 4, reservation_count: 5, already_minted: 3 }, 2],
    ['has nothing left', { requested: 4, reservation_count: 3, already_minted: 3 }, 1],
    ['has less than nothing left', { requested: 4, reservation_count: 2, already_minted: 3 }, 1],
    ['contradicts itself', { requested: 4, reservation_count: 50, already_minted: 3 }, 1],
    ['says nothing readable', { left: 'two' }, 1],
  ])('a reservation that %s ends all runners, and is not asked for ever', async (_, details, asked) => {
    const { server, calls } = await serveMints(refuse(409, 'batch-exceeds-reservation', () => details))
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(4) }, NEVER)
    expect(Object.values(summary(mints))).toEqual(Array(4).fill('mint-refused'))
    expect(calls).toHaveLength(asked)
  })

  it('a reservation that has one unit less each time is not asked for ever', async () => {
    const shrinking = refuse(409, 'batch-exceeds-reservation', (ids) => ({
      reservation_count: ids.length - 1,
      already_minted: 0,
    }))
    const { server, calls } = await serveMints(shrinking)
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(50) }, NEVER)
    expect(new Set(Object.values(summary(mints)))).toEqual(new Set(['mint-refused']))
    expect(calls).toHaveLength(2)
  })

  it('R1: ids whose earlier token was lost are unknown, and the others are asked for again, once', async () => {
    const active = refuse(409, 'registration-token-active', (ids) => ({ provider_runner_ids: [ids[1]] }))
    const { server, calls } = await serveMints(active, tokens)
    const source = await ready(server)
    const runners = makeRunners(3)
    const mints = summary(await source.mint({ reservation: RESERVATION, runners }, NEVER))
    expect(runners.map(({ id }) => mints[id])).toEqual(['ok', 'mint-unknown', 'ok'])
    expect(calls.map((ids) => ids.length)).toEqual([3, 2])
  })

  it.each([
    [
      'names more each time',
      (ids: string[]) => ({ provider_runner_ids: [ids[0]] }),
      2,
      ['mint-unknown', 'mint-unknown', 'mint-refused'],
    ],
    [
      'names none of ours',
      () => ({ provider_runner_ids: ['other'] }),
      1,
      ['mint-refused', 'mint-refused', 'mint-refused'],
    ],
    ['names nobody', () => ({}), 1, ['mint-unknown', 'mint-unknown', 'mint-unknown']],
  ])('a server that holds tokens and %s is not asked for ever', async (_, details, asked, expected) => {
    const { server, calls } = await serveMints(refuse(409, 'registration-token-active', details))
    const source = await ready(server)
    const runners = makeRunners(3)
    const mints = summary(await source.mint({ reservation: RESERVATION, runners }, NEVER))
    expect(runners.map(({ id }) => mints[id])).toEqual(expected)
    expect(calls).toHaveLength(asked)
  })

  it('both obstacles at once still leave what is possible', async () => {
    const { server } = await serveMints(
      refuse(409, 'batch-exceeds-reservation', () => ({ reservation_count: 3, already_minted: 0 })),
      refuse(409, 'registration-token-active', (ids) => ({ provider_runner_ids: [ids[0]] })),
      tokens,
    )
    const source = await ready(server)
    const runners = makeRunners(4)
    const mints = summary(await source.mint({ reservation: RESERVATION, runners }, NEVER))
    expect(runners.map(({ id }) => mints[id])).toEqual(['mint-unknown', 'ok', 'ok', 'mint-refused'])
  })

  it.each([
    ['says its limit', () => ({ requested: 9, max: 4 }), [9, 4, 4, 1]],
    ['says no limit', () => ({}), [9, 4, 4, 1]],
    ['says a limit that it does not keep', () => ({ max: 100 }), [9, 4, 4, 1]],
  ])('a batch that is too large is split, when the server %s', async (_, details, sizes) => {
    const tooLarge: Answer = (ids, response) =>
      ids.length > 4 ? refuse(400, 'batch-too-large', details)(ids, response) : tokens(ids, response)
    const { server, calls } = await serveMints(tooLarge)
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(9) }, NEVER)
    expect(
      new Set(mints.map((mint) => mint.ok && mint.secretEnv['SHIPFOX_RUNNER_REGISTRATION_TOKEN']?.reveal()))
        .size,
    ).toBe(9)
    expect(calls.map((ids) => ids.length)).toEqual(sizes)
  })

  it('never asks for more than 500 at once', async () => {
    const { server, calls } = await serveMints(tokens)
    const source = await ready(server, { mintBatchMax: { v1: 1000, v2: 1000 } })
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(501) }, NEVER)
    expect(mints.every(({ ok }) => ok)).toBe(true)
    expect(calls.map((ids) => ids.length)).toEqual([500, 1])
  })

  it('429 is thrown, with the time to wait', async () => {
    const { server } = await serveMints(refuse(429, 'rate-limited', undefined, { 'retry-after': '17' }))
    const source = await ready(server)
    const failure = await failureOf(source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER))
    expect(failure).toMatchObject({ kind: 'rate-limited', retryAfterMs: 17_000 })
  })

  it.each([
    [401, 'provisioner-token-revoked', 'unauthorized'],
    [403, 'forbidden', 'unauthorized'],
    [400, 'validation-error', 'protocol'],
    [503, 'runners-rate-limit-unavailable', 'unavailable'],
  ])('%i %s surely minted nothing, and is thrown', async (status, code, kind) => {
    const { server } = await serveMints(refuse(status, code))
    const source = await ready(server)
    const failure = await failureOf(source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER))
    expect(failure.kind).toBe(kind)
  })

  it('what stops a later batch does not cost the tokens of an earlier one', async () => {
    const { server, calls } = await serveMints(tokens, refuse(429, 'rate-limited'), tokens)
    const source = await ready(server, { mintBatchMax: { v1: 2, v2: 2 } })
    const runners = makeRunners(5)
    const mints = summary(await source.mint({ reservation: RESERVATION, runners }, NEVER))
    expect(runners.map(({ id }) => mints[id])).toEqual([
      'ok',
      'ok',
      'mint-refused',
      'mint-refused',
      'mint-refused',
    ])
    expect(calls).toHaveLength(2)
  })

  it.each<[string, (ids: string[]) => unknown]>([
    [
      'leaves one out',
      ([, ...rest]) => ({
        tokens: rest.map((id) => ({ provider_runner_id: id, registration_token: `sf_ert_${id}` })),
      }),
    ],
    [
      'sends one token twice',
      (ids) => ({ tokens: ids.map((id) => ({ provider_runner_id: id, registration_token: 'sf_ert_same' })) }),
    ],
    ['sends something else', () => ({ ok: true })],
    [
      'sends an empty token',
      (ids) => ({ tokens: ids.map((id) => ({ provider_runner_id: id, registration_token: '' })) }),
    ],
  ])('R3: a server that %s: no token is made up or used twice', async (_, body) => {
    const log = new EventRecorder()
    const { server } = await serveMints((ids, response) => json(response, 200, body(ids)))
    const source = await ready(server, { log })
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(3) }, NEVER)
    const used = mints.flatMap((mint) =>
      mint.ok ? [mint.secretEnv['SHIPFOX_RUNNER_REGISTRATION_TOKEN']!.reveal()] : [],
    )
    expect(new Set(used).size).toBe(used.length)
    expect(mints).toHaveLength(3)
    expect(mints.filter(({ ok }) => !ok).length).toBeGreaterThan(0)
    for (const mint of mints) expect(mint).toMatchObject(mint.ok ? {} : { code: 'mint-unknown' })
  })
})
