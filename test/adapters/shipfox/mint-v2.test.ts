import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { ATTACH_AT_ONCE } from '../../../adapters/shipfox/mint-v2.ts'
import type { Mint } from '../../../core/ports/index.ts'
import {
  failureOf,
  json,
  makeRunners,
  makeTemplate,
  NEVER,
  ready,
  RESERVATION,
  type Seen,
  serveApi,
} from './support.ts'

type Attach = (seen: Seen, response: ServerResponse, attempt: number) => void

const yes: Attach = (_, response) => json(response, 200, { attached: true })
const no: Attach = (_, response) => json(response, 200, { attached: false })
const lost: Attach = ({ socket }) => void socket.destroy()
const failing: Attach = (_, response) => json(response, 500, { code: 'server-error' })

const instanceId = (index: number): string => `0198f000-0000-4000-8000-${String(index).padStart(12, '0')}`
const instance = (index: number) => ({
  runner_instance_id: instanceId(index),
  bootstrap_token: `sf_rbt_${index}`,
  request_index: index,
})

/** `attach` is asked per call; `attempt` counts the calls of one instance from 1. */
async function serveV2(attach: Attach, batch?: () => unknown) {
  const attempts = new Map<string, number>()
  const attached: { instance: string; runner: string }[] = []
  const server = await serveApi('v2', {
    '/provider-runner': (seen, response) => {
      const [, id = ''] = /runner-instances\/([^/]+)\/provider-runner$/.exec(seen.path) ?? []
      const attempt = (attempts.get(id) ?? 0) + 1
      attempts.set(id, attempt)
      attached.push({ instance: id, runner: seen.body.provider_runner_id })
      attach(seen, response, attempt)
    },
    '/runner-instances/batch': ({ body }, response) =>
      json(
        response,
        200,
        batch?.() ?? {
          runner_instances: body.runner_instances.map((_, index) => instance(index)),
        },
      ),
  })
  return { server, attempts, attached }
}

const outcomes = (mints: readonly Mint[]): string[] => mints.map((mint) => (mint.ok ? 'ok' : mint.code))

describe('minting runner instances (v2)', () => {
  it('attaches each instance to its runner before it is handed out', async () => {
    const { server, attached } = await serveV2(yes)
    const source = await ready(server)
    const runners = makeRunners(3, makeTemplate('small', ['docker', 'linux']))
    const mints = await source.mint({ reservation: RESERVATION, runners }, NEVER)
    expect(attached.toSorted((a, b) => a.instance.localeCompare(b.instance))).toEqual(
      runners.map(({ id }, index) => ({ instance: instanceId(index), runner: id })),
    )
    for (const [index, mint] of mints.entries()) {
      if (!mint.ok) throw new Error(mint.reason)
      expect(mint.runner).toBe(runners[index]!.id)
      expect(mint.env).toEqual({
        SHIPFOX_API_URL: 'http://runners.test/api/',
        SHIPFOX_RUNNER_LABELS: 'docker,linux',
        SHIPFOX_POLL_MAX_DURATION_MS: '300000',
        SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '3600',
        SHIPFOX_RUNNER_PROVIDER_KIND: 'docker',
      })
      expect(mint.secretEnv['SHIPFOX_RUNNER_BOOTSTRAP_TOKEN']?.reveal()).toBe(`sf_rbt_${index}`)
    }
    expect(
      server.seen.find(({ path }) => path.endsWith('/batch') && path.includes('instances'))?.body,
    ).toEqual({
      runner_instances: runners.map(() => ({ template_key: 'small', reservation_id: RESERVATION })),
    })
  })

  it('mints warm runners without a reservation, and names its kind where the owner gave one', async () => {
    const { server } = await serveV2(yes)
    const source = await ready(server, { providerKind: 'slipway' })
    const mints = await source.mint({ reservation: null, runners: makeRunners(1) }, NEVER)
    expect(mints[0]).toMatchObject({ ok: true, env: { SHIPFOX_RUNNER_PROVIDER_KIND: 'slipway' } })
    expect(server.seen.find(({ body }) => body.runner_instances !== undefined)?.body).toEqual({
      provider_kind: 'slipway',
      runner_instances: [{ template_key: 'small' }],
    })
  })

  it('maps what the server leaves out by the place in the request', async () => {
    const { server, attached } = await serveV2(yes, () => ({
      runner_instances: [instance(3), instance(1)],
      reservation_unavailable: true,
    }))
    const source = await ready(server)
    const runners = makeRunners(4)
    const mints = await source.mint({ reservation: RESERVATION, runners }, NEVER)
    expect(outcomes(mints)).toEqual(['reservation-expired', 'ok', 'reservation-expired', 'ok'])
    expect(new Set(attached.map(({ instance: id, runner }) => `${id} ${runner}`))).toEqual(
      new Set([`${instanceId(1)} ${runners[1]!.id}`, `${instanceId(3)} ${runners[3]!.id}`]),
    )
  })

  it.each<[string, unknown[], string[]]>([
    ['leaves one out and does not say why', [instance(0)], ['ok', 'mint-unknown']],
    ['sends one place twice', [instance(0), { ...instance(5), request_index: 0 }, instance(1)], ['ok', 'ok']],
    [
      'sends one token twice',
      [instance(0), { ...instance(1), bootstrap_token: 'sf_rbt_0' }],
      ['ok', 'mint-unknown'],
    ],
    ['sends a place that was not asked for', [instance(0), instance(1), instance(7)], ['ok', 'ok']],
    [
      'sends an id that would lead elsewhere',
      [{ ...instance(0), runner_instance_id: '../../me' }],
      ['mint-unknown', 'mint-unknown'],
    ],
  ])('R3: a server that %s: no token is used twice', async (_, instances, expected) => {
    const { server } = await serveV2(yes, () => ({ runner_instances: instances }))
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER)
    expect(outcomes(mints)).toEqual(expected)
  })

  it.each<[string, Attach, string, number]>([
    ['false at once: refused', no, 'mint-refused', 1],
    ['lost, then true: proven', (s, r, n) => (n === 1 ? lost : yes)(s, r, n), 'ok', 2],
    ['500, then true: proven', (s, r, n) => (n === 1 ? failing : yes)(s, r, n), 'ok', 2],
    ['lost, then false: nobody can tell', (s, r, n) => (n === 1 ? lost : no)(s, r, n), 'mint-unknown', 2],
    ['500, then false: nobody can tell', (s, r, n) => (n === 1 ? failing : no)(s, r, n), 'mint-unknown', 2],
    ['lost twice', lost, 'mint-unknown', 2],
    ['500 twice: the id is taken', failing, 'mint-unknown', 2],
    ['an answer that is none', (_, r) => json(r, 200, { ok: 1 }), 'mint-unknown', 2],
    ['401: refused', (_, r) => json(r, 401, { code: 'provisioner-token-revoked' }), 'mint-refused', 1],
    ['429: refused', (_, r) => json(r, 429, { code: 'rate-limited' }), 'mint-refused', 1],
  ])('R3: an attachment that comes back %s', async (_, attach, expected, calls) => {
    const { server, attempts } = await serveV2(attach)
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(1) }, NEVER)
    expect(outcomes(mints)).toEqual([expected])
    expect([...attempts.values()]).toEqual([calls])
  })

  it('one attachment that fails leaves the others alone', async () => {
    const { server } = await serveV2((seen, response, attempt) =>
      (seen.path.includes(instanceId(1)) ? no : yes)(seen, response, attempt),
    )
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(3) }, NEVER)
    expect(outcomes(mints)).toEqual(['ok', 'mint-refused', 'ok'])
  })

  it(`attaches ${ATTACH_AT_ONCE} at a time, no more`, async () => {
    let open = 0
    let most = 0
    const waiting: (() => void)[] = []
    const { server } = await serveV2((seen, response, attempt) => {
      open += 1
      most = Math.max(most, open)
      waiting.push(() => {
        open -= 1
        yes(seen, response, attempt)
      })
      if (open === ATTACH_AT_ONCE) while (waiting.length > 0) waiting.pop()?.()
    })
    const source = await ready(server)
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(30) }, NEVER)
    expect(outcomes(mints)).toEqual(Array(30).fill('ok'))
    expect(most).toBe(ATTACH_AT_ONCE)
  })

  it.each([
    [401, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'unauthorized'],
    [400, 'validation-error', 'protocol'],
  ])('%i %s surely minted nothing, and is thrown', async (status, code, kind) => {
    const server = await serveApi('v2', {
      '/runner-instances/batch': (_, response) => json(response, status, { code }),
    })
    const source = await ready(server)
    const failure = await failureOf(source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER))
    expect(failure.kind).toBe(kind)
  })

  it('R1: a lost answer leaves every runner unknown, and is not asked for again', async () => {
    const server = await serveApi('v2', { '/runner-instances/batch': ({ socket }) => void socket.destroy() })
    const source = await ready(server)
    const calls = server.seen.length
    const mints = await source.mint({ reservation: RESERVATION, runners: makeRunners(2) }, NEVER)
    expect(outcomes(mints)).toEqual(['mint-unknown', 'mint-unknown'])
    expect(server.seen).toHaveLength(calls + 1)
  })

  it('a caller that gives up during the attachments gets an answer for every runner', async () => {
    const controller = new AbortController()
    const { server } = await serveV2((seen, response, attempt) => {
      if (seen.path.includes(instanceId(0))) yes(seen, response, attempt)
      else controller.abort()
    })
    const source = await ready(server)
    const runners = makeRunners(15)
    const mints = await source.mint({ reservation: RESERVATION, runners }, controller.signal)
    expect(mints.map(({ runner }) => runner)).toEqual(runners.map(({ id }) => id))
    expect(outcomes(mints).slice(1)).not.toContain('ok')
  })
})
