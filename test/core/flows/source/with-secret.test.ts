import { describe, expect, it } from 'vitest'
import { SECRET_CACHE_MS, SecretCache, sourceWithSecret } from '../../../../core/flows/index.ts'
import { Secret, sourceId } from '../../../../core/model/index.ts'
import { type DemandSource, SecretMissing, SourceError } from '../../../../core/ports/index.ts'
import { SimClock } from '../../../sim/world/sim-clock.ts'
import { SimSource } from '../../../sim/world/sim-source.ts'

const NEVER = new AbortController().signal
const PARAMETER = '/slipway/x/sim-token'
const NOTHING = { capacity: [], maxReservations: 0, waitSeconds: 0 }

/** A secret store, and a source that takes the tokens in `accepted` only. */
function stage() {
  const clock = new SimClock()
  const inner = new SimSource(clock)
  const state = {
    stored: 'first' as string | null,
    broken: false,
    reads: 0,
    accepted: ['first'],
    shown: [] as string[],
  }
  const reader = {
    readSecret: async () => {
      state.reads += 1
      if (state.broken) throw new Error('Nobody answers.')
      return state.stored === null ? null : new Secret(state.stored)
    },
  }
  const open = (token: Secret): DemandSource => {
    const check = (): void => {
      state.shown.push(token.reveal())
      if (!state.accepted.includes(token.reveal())) throw new SourceError('unauthorized', 'Not this one.')
    }
    return {
      id: inner.id,
      authenticate: async () => (check(), inner.authenticate()),
      poll: async () => (check(), { reservations: [], waiting: [], cancel: [] }),
      mint: async (request) => (check(), inner.mint(request)),
      report: async (reports) => (check(), inner.report(reports)),
      reconcile: async (observed) => (check(), inner.reconcile(observed)),
    }
  }
  const secrets = new SecretCache(reader, clock)
  const source = sourceWithSecret({ id: sourceId('sim'), parameter: PARAMETER, secrets, open })
  return { clock, state, source }
}

describe('a source whose token is stored apart', () => {
  it('reads it once for many calls, and again after five minutes', async () => {
    const { clock, state, source } = stage()
    await source.authenticate(NEVER)
    for (let call = 0; call < 5; call += 1) await source.poll(NOTHING, NEVER)
    expect(state.reads).toBe(1)
    await clock.run(SECRET_CACHE_MS)
    await source.poll(NOTHING, NEVER)
    expect(state.reads).toBe(2)
  })

  it('O4: takes a new token up while the old one still works, and presents it first', async () => {
    const { clock, state, source } = stage()
    await source.authenticate(NEVER)
    Object.assign(state, { stored: 'second', accepted: ['first', 'second'] })
    await clock.run(SECRET_CACHE_MS)
    await source.poll(NOTHING, NEVER)
    expect(state.shown).toEqual(['first', 'second', 'second'])
  })

  it('O4, L9: reads it anew once the source refuses the one it had', async () => {
    const { state, source } = stage()
    await source.authenticate(NEVER)
    Object.assign(state, { stored: 'second', accepted: ['second'] })
    await expect(source.poll(NOTHING, NEVER)).rejects.toMatchObject({ kind: 'unauthorized' })
    await source.poll(NOTHING, NEVER)
    expect(state.shown.at(-1)).toBe('second')
  })

  it('says which one is missing, and begins once it is there', async () => {
    const { state, source } = stage()
    state.stored = null
    const missing = await source.authenticate(NEVER).catch((thrown: unknown) => thrown)
    expect(missing).toBeInstanceOf(SecretMissing)
    expect(missing).toMatchObject({ kind: 'unauthorized', parameter: PARAMETER })
    expect(String(missing)).toContain('slipway secret set')
    state.stored = 'first'
    expect(await source.authenticate(NEVER)).toMatchObject({ warm: false })
  })

  it('inv. 8: whose store fails is unavailable, not without a token', async () => {
    const { state, source } = stage()
    state.broken = true
    await expect(source.authenticate(NEVER)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
