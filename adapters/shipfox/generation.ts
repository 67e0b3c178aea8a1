import type { Secret, SourceLimits } from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'
import * as z from 'zod'
import type { Api, Call } from './api.ts'
import { type Refusal, refusalError } from './failures.ts'
import type { ShipfoxOptions } from './options.ts'
import {
  type Generation,
  Me,
  MINT_BATCH_MAX,
  MINT_CALLS_V1,
  POLL_WAIT_SECONDS_MAX,
  RESERVATION_TTL_MS,
  RESERVATIONS_MAX,
  TEMPLATES_MAX,
} from './wire.ts'

const ME: Call<Me> = {
  does: 'authenticate',
  method: 'GET',
  path: '/provisioners/me',
  answer: Me,
  effect: 'repeatable',
}

type Me = z.infer<typeof Me>

/**
 * A body that can't be valid, sent to the mint route of v1: 400 where the route exists, 404 where it doesn't. On v1
 * it counts once against the mint limit (and changes nothing else), which the core's reserve of calls covers.
 */
const PROBE: Call<unknown> = {
  does: 'find out which protocol the server speaks',
  method: 'POST',
  path: '/provisioners/runner-registration-tokens/batch',
  body: {},
  answer: z.never(),
  effect: 'repeatable',
}

/**
 * Proves the token and learns the generation: by the probe, each time, because servers get upgraded. A protocol that
 * the owner has chosen saves it.
 */
export async function authenticate(
  api: Api,
  options: ShipfoxOptions,
  signal: AbortSignal,
): Promise<Generation> {
  refuseOtherTokens(options.token)
  const { value: me } = await api.ask(ME, signal)
  const generation = options.protocol === 'auto' ? await detectGeneration(api, signal) : options.protocol
  if (generation === 'v1' && me.scope === 'installation')
    throw new SourceError(
      'unauthorized',
      `Shipfox at ${api.url} mints registration tokens (v1), and that takes a workspace token; this one is for the installation. Create a provisioner token in the workspace and give it to Slipway.`,
    )
  options.log.info('source.authenticated', { source: options.id, generation, scope: me.scope })
  return generation
}

/** Before a token of another kind travels to a server that it isn't meant for. */
function refuseOtherTokens(token: Secret): void {
  if (/^sf_pt_[A-Za-z0-9_-]+$/.test(token.reveal())) return
  const kind = /^sf_[a-z]{1,8}_/.exec(token.reveal())?.[0]
  const found =
    kind === undefined || kind === 'sf_pt_' ? 'is not one' : `begins with ${kind}, so it is of another kind`
  throw new SourceError(
    'unauthorized',
    `A provisioner token looks like "sf_pt_" and 43 characters; the one given ${found}. Check SHIPFOX_PROVISIONER_TOKEN.`,
  )
}

async function detectGeneration(api: Api, signal: AbortSignal): Promise<Generation> {
  const result = await api.tryAsk(PROBE, signal)
  const generation = 'refusal' in result ? generationBy(result.refusal) : null
  if (generation !== null) return generation
  if ('refusal' in result) throw refusalError(result.refusal, PROBE, api.url)
  throw new SourceError('protocol', `Could not ${PROBE.does}: ${api.url} took an invalid request for valid.`)
}

/** Answers that only an existing route gives. A scope is refused before the body is looked at. */
const ROUTE_EXISTS: readonly (readonly [status: number, code: string])[] = [
  [400, 'validation-error'],
  [403, 'forbidden'],
  [429, 'rate-limited'],
  [503, 'runners-rate-limit-unavailable'],
]

export function generationBy({ status, code }: Refusal): Generation | null {
  if (status === 404 && code === 'not-found') return 'v2'
  return ROUTE_EXISTS.some(([s, c]) => s === status && c === code) ? 'v1' : null
}

export function limitsOf(generation: Generation, options: ShipfoxOptions): SourceLimits {
  return {
    templatesMax: TEMPLATES_MAX[generation],
    mintBatchMax: Math.max(Math.min(options.mintBatchMax[generation], MINT_BATCH_MAX), 1),
    mintCalls: generation === 'v1' ? MINT_CALLS_V1 : null,
    reservationsMax: Math.min(options.maxReservations, RESERVATIONS_MAX),
    pollWaitSecondsMax: Math.min(options.pollWaitSecondsMax, POLL_WAIT_SECONDS_MAX),
    pollIntervalMs: options.pollIntervalMs,
    pollIntervalMaxMs: options.pollIntervalMaxMs,
    reportIntervalMs: options.reportIntervalMs,
    registrationDeadlineMs: options.registrationDeadlineMs,
    reservationTtlMs: reservationTtlMs(generation, options.registrationDeadlineMs),
    warm: generation === 'v2',
  }
}

/**
 * The setting for the registration deadline (120 s by default) is also known as the reservation lifetime that v2 is
 * asked for. A lifetime that long would hold jobs back twice as long after a crash, because the units of lost v2
 * runners wait for their expiry; hosts that are up start a runner in seconds. So 60 s it is, as in v1, and only a
 * shorter deadline shortens it. (Where a host must boot first, its jobs wait unreserved until the host is online.)
 */
function reservationTtlMs(generation: Generation, registrationDeadlineMs: number): number {
  if (generation === 'v1') return RESERVATION_TTL_MS
  const seconds = Math.floor(Math.min(registrationDeadlineMs, RESERVATION_TTL_MS) / 1000)
  return Math.max(seconds, 1) * 1000
}
