import { type DemandSource, SourceError } from '../../core/ports/index.ts'
import { createApi } from './api.ts'
import { authenticate, limitsOf } from './generation.ts'
import { mint } from './mint.ts'
import type { ShipfoxOptions } from './options.ts'
import { poll } from './poll.ts'
import { reconcile } from './reconcile.ts'
import { report } from './report.ts'
import { type Session, SeenIds } from './session.ts'
import { MintedUnits } from './units.ts'

export type { ShipfoxOptions } from './options.ts'

/**
 * A Shipfox API as a demand source, for both generations of its protocol: v1 mints registration tokens, v2 mints runner
 * instances. Throws `source-url-invalid`; its methods throw only `SourceError`.
 */
export function createShipfoxSource(options: ShipfoxOptions): DemandSource {
  const { id, token, clock, log } = options
  const api = createApi({ url: options.apiUrl, token, clock })
  const units = new MintedUnits()
  const foreignIds = new SeenIds()
  let session: Session | 'unopened' | 'forgotten' = 'unopened'
  const forget = (): void => {
    session = 'forgotten'
  }

  async function open(signal: AbortSignal): Promise<Session> {
    const generation = await authenticate(api, options, signal)
    const limits = limitsOf(generation, options)
    const opened = { id, api, generation, limits, units, forget, foreignIds, options, clock, log }
    session = opened
    return opened
  }

  async function current(signal: AbortSignal): Promise<Session> {
    if (session === 'forgotten') return open(signal)
    if (session !== 'unopened') return session
    throw new SourceError(
      'protocol',
      `Source ${id} was called before authenticate(): this is a bug in Slipway.`,
    )
  }

  return {
    id,
    authenticate: async (signal) => (await open(signal)).limits,
    poll: async (request, signal) => poll(await current(signal), request, signal),
    mint: async (request, signal) => mint(await current(signal), request, signal),
    report: async (reports, signal) => report(await current(signal), reports, signal),
    reconcile: async (observed, signal) => reconcile(await current(signal), observed, signal),
  }
}
