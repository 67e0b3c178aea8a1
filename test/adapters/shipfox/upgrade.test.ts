import { describe, expect, it } from 'vitest'
import { failureOf, json, makeRunners, NEVER, ready, RESERVATION, serve } from './support.ts'

/** A server that can be upgraded from v1 to v2 while it serves. */
async function serveUpgradable() {
  const state = { generation: 'v1' as 'v1' | 'v2' }
  const server = await serve((seen, response) => {
    const { runner_instances: runners, reservation_id: reservation } = seen.body
    if (seen.path.endsWith('/me')) return json(response, 200, { id: 'p', scope: 'workspace' })
    if (seen.path.endsWith('/provider-runner')) return json(response, 200, { attached: true })
    if (seen.path.endsWith('/runner-registration-tokens/batch') && state.generation === 'v1')
      return reservation === undefined
        ? json(response, 400, { code: 'validation-error', message: '[body] x' })
        : json(response, 200, {
            tokens: runners.map(({ provider_runner_id: id }) => ({
              provider_runner_id: id,
              registration_token: `sf_ert_${id}`,
            })),
          })
    if (seen.path.endsWith('/runner-instances/batch') && state.generation === 'v2')
      return json(response, 200, {
        runner_instances: runners.map((_, index) => ({
          runner_instance_id: crypto.randomUUID(),
          bootstrap_token: `sf_rbt_${index}`,
          request_index: index,
        })),
      })
    return json(response, 404, { code: 'not-found' })
  })
  return { server, state }
}

describe('O1: a server that is upgraded under a running hub', () => {
  it('costs one call: the same runners are minted in the new generation by the next', async () => {
    const { server, state } = await serveUpgradable()
    const source = await ready(server)
    const request = { reservation: RESERVATION, runners: makeRunners(2) }
    expect((await source.mint(request, NEVER))[0]).toMatchObject({
      ok: true,
      secretEnv: { SHIPFOX_RUNNER_REGISTRATION_TOKEN: expect.anything() },
    })
    state.generation = 'v2'
    expect((await failureOf(source.mint(request, NEVER))).kind).toBe('unavailable')
    expect((await source.mint(request, NEVER))[1]).toMatchObject({
      ok: true,
      secretEnv: { SHIPFOX_RUNNER_BOOTSTRAP_TOKEN: expect.anything() },
    })
    state.generation = 'v1'
    expect((await failureOf(source.mint(request, NEVER))).kind).toBe('unavailable')
    expect((await source.mint(request, NEVER))[0]).toMatchObject({ ok: true })
  })

  it('is an error where the owner has chosen the protocol', async () => {
    const { server, state } = await serveUpgradable()
    state.generation = 'v2'
    const source = await ready(server, { protocol: 'v1' })
    const failure = await failureOf(source.mint({ reservation: RESERVATION, runners: makeRunners(1) }, NEVER))
    expect(failure.kind).toBe('protocol')
    expect(failure.message).toContain('protocol')
  })
})
