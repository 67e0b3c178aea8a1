import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLog, jsonLine, lineOf } from '../../adapters/log/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { NO_NOTES, sourceId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { httpApiHandler } from '../../lambdas/http-api/handler.ts'
import { type SignedServer, startSignedServer } from '../support/signed-server.ts'
import { type SsmStandIn, startSsmStandIn } from '../support/ssm-stand-in.ts'
import { type Env, openPlace, type Place } from './support.ts'

const KEY = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'CanaryKeyCanaryKeyCanaryKey',
  region: 'eu-central-1',
}
const PARAMETER = '/slipway/slipway-dev/shipfox-token'
const SECRET = `sf_pt_${'CanaryCanary'.repeat(3)}1234567`

/** A deployed hub's API behind IAM authorization, and Parameter Store beside it. */
describe('the command line with a hub on AWS', () => {
  let place: Place
  let api: SignedServer
  let ssm: SsmStandIn
  let store: FleetStore
  const logged: string[] = []
  const spoken: string[] = []

  const env = (): Env => ({
    SLIPWAY_API_URL: api.url,
    AWS_REGION: KEY.region,
    AWS_ACCESS_KEY_ID: KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey,
    AWS_ENDPOINT_URL_SSM: ssm.url,
    AWS_EC2_METADATA_DISABLED: 'true',
  })

  async function say(args: readonly string[], over: Env = {}, input: string | null = null) {
    const run = place.slipway(args, { ...env(), ...over }, input)
    const { code } = await run.end()
    spoken.push(run.output)
    return { code, out: run.stdout, err: run.stderr }
  }

  beforeAll(async () => {
    place = await openPlace()
    ssm = await startSsmStandIn()
    store = createMemoryStore()
    api = await startSignedServer(
      KEY,
      httpApiHandler({
        store,
        gateway: { close: async () => {} },
        clock: { now: () => Date.now(), monotonicMs: () => performance.now(), sleep: async () => {} },
        log: createLog((entry) => logged.push(jsonLine(lineOf(entry)))),
        build: 'b1',
        agentUrl: 'wss://agents.example/live',
        sources: [{ id: sourceId('shipfox'), tokenParameter: PARAMETER }],
        fixedTemplates: null,
        templateDefaults: {},
      }),
    )
  })
  afterAll(async () => {
    await api.close()
    await ssm.close()
    await place.close()
  })
  beforeEach(() => {
    api.skewMs = 0
  })

  it('signs what it asks, queries and bodies too, so that the API lets it in', async () => {
    const added = await say(['hosts', 'add', 'build-1', '--json'])
    expect([added.code, added.err]).toEqual([0, ''])
    expect(JSON.parse(added.out)).toMatchObject({ host: 'build-1', hubUrl: 'wss://agents.example/live' })
    const list = await say(['runners', 'list', '--state', 'live', '--template', 'a b&c=ä*', '--json'])
    expect(list.code).toBe(0)
    expect((await say(['hosts', 'remove', 'build-1', '--yes'])).code).toBe(0)
    expect(api.seen.map(({ status }) => status)).toEqual([201, 200, 200])
    expect(logged.join()).toContain('arn:aws:iam::111122223333:user/ann')
  })

  it('X6: says what to do where the API does not let it in', async () => {
    const other = { AWS_SECRET_ACCESS_KEY: 'another-key' }
    const { code, out, err } = await say(['hosts', 'list'], other)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/refused the caller \(403: Forbidden\).*execute-api:Invoke/)
    const nobody = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }
    expect((await say(['hosts', 'list'], nobody)).err).toMatch(/No AWS credentials were found/)
    expect((await say(['hosts', 'list'], { AWS_REGION: '' })).err).toMatch(/Set AWS_REGION/)
  })

  it.each([
    ['http:// to another machine', 'http://hub.example'],
    ['a password', 'https://me:secret@hub.example'],
    ['no URL', 'hub.example'],
  ])('refuses a URL with %s before anything is sent', async (_what, url) => {
    const { code, err } = await say(['hosts', 'list', '--hub', url])
    expect(code).toBe(1)
    expect(err).toMatch(/--hub is not the URL of a hub's API/)
    expect(err).not.toContain('secret@')
  })

  it('tells a URL that leads nowhere from one that is no hub', async () => {
    const gone = await startSsmStandIn()
    await gone.close()
    expect((await say(['hosts', 'list', '--hub', gone.url])).err).toMatch(/can't be reached.*ECONNREFUSED/)
    expect((await say(['hosts', 'list', '--hub', ssm.url])).err).toMatch(/hub answered 400/)
  })

  it('stores a secret where the stack looks for it, from stdin alone', async () => {
    for (const name of ['shipfox', PARAMETER]) {
      const { code, out, err } = await say(['secret', 'set', name], {}, `${SECRET}\n`)
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(new RegExp(`^Stored as version \\d of ${PARAMETER}\\. `))
    }
    expect(ssm.values.get(PARAMETER)).toEqual({ value: SECRET, version: 2 })
    expect(ssm.values.size).toBe(1)
  })

  it('refuses a secret that nothing looks for, an empty one, and a token of another kind', async () => {
    const refused = async (name: string, value: string) => (await say(['secret', 'set', name], {}, value)).err
    expect(await refused('shipfix', SECRET)).toMatch(/has no secret "shipfix".*shipfox \(\/slipway/)
    expect(await refused('shipfox', '\n')).toMatch(/The value is empty/)
    expect(await refused('shipfox', SECRET.replace('sf_pt_', 'sf_mrt_'))).toMatch(
      /sf_mrt_….*sf_pt_.*Nothing was stored/,
    )
    expect(ssm.values.get(PARAMETER)).toMatchObject({ version: 2 })
    const { code, err } = await say(['secret', 'set', 'shipfox', SECRET])
    expect(code).toBe(1)
    expect(err).toMatch(/too many arguments/)
    spoken.splice(spoken.lastIndexOf(err), 1)
  })

  it('doctor names a clock that is off, a missing secret, and a loop that never started', async () => {
    api.skewMs = -10 * 60_000
    const status = { source: sourceId('shipfox'), checkedAt: 0, waiting: [], refusals: [] }
    await store.putSourceStatus({ ...status, state: { kind: 'secret-missing', parameter: PARAMETER } })
    const { code, out } = await say(['doctor'])
    expect(code).toBe(1)
    expect(out).toMatch(/^warn +hub .*has not run yet/m)
    expect(out).toMatch(/^FAIL +clock .*differ by (599|600|601) s\n +→ Set the clock/m)
    expect(out).toMatch(new RegExp(`^FAIL +token .*${PARAMETER}.*\\n +→ slipway secret set shipfox`, 'm'))
    expect(out).toMatch(/^ok +disk /m)
  })

  it('doctor finds nothing to do where all is well', async () => {
    const status = { source: sourceId('shipfox'), checkedAt: 0, waiting: [], refusals: [] }
    await store.putSourceStatus({ ...status, state: { kind: 'ok' } })
    const now = Date.now()
    const holder = { holder: 'a', build: 'b1', handOverAt: null }
    const lease = await store.takeLease({ ...holder, now, ttlMs: 20_000 })
    await store.releaseLease({ holder: 'a', fence: lease!.fence, now, notes: NO_NOTES })
    const { out } = await say(['doctor', '--json'])
    const { findings }: { findings: { check: string; verdict: string; text: string }[] } = JSON.parse(out)
    const of = (name: string) => findings.find(({ check }) => check === name)
    expect(of('hub')).toMatchObject({ verdict: 'ok', text: expect.stringContaining('is idle') })
    expect(of('clock')).toMatchObject({ verdict: 'ok' })
    expect(of('token')).toMatchObject({ verdict: 'ok' })
    expect(findings.map(({ check }) => check)).toEqual([
      'docker',
      'hub',
      'clock',
      'token',
      'quota',
      'image',
      'disk',
    ])
  })

  it('X18: shows neither the secret nor a key in anything that it says, nor the hub in its log', () => {
    const everything = [...spoken, ...logged].join('\n')
    expect(everything).toContain(PARAMETER)
    expect(everything).not.toContain('Canary')
    expect(everything).not.toContain(Buffer.from(SECRET).toString('base64'))
  })
})
