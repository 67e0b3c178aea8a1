import {
  PROVISIONER_TOKEN_PREFIX,
  type Secret,
  shipfoxPrefixOf,
  type SourceLimits,
  TOKEN_RANDOM_CHARACTERS,
} from '../../core/model/index.ts'
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
 * An invalid body for the mint route of v1: answered with 400 if the route exists, 404 if it doesn't. On v1 it counts
 * against the mint limit (and has no other effect); the core keeps calls in reserve for that.
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
 * Checks the token and detects the generation with the probe, every time, because servers get upgraded. A configured
 * protocol skips the probe.
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
      `Shipfox at ${api.url} mints registration tokens (v1), which requires a workspace token, but this token is for the installation. Create a provisioner token in the workspace and use it.`,
    )
  options.log.emit({ name: 'source.authenticated', source: options.id, generation, scope: me.scope })
  return generation
}

/** What a header can carry. Settings check the length; here it is up to the server. */
const SENDABLE = /^[\w-]+$/

/** Checked first, so that a token of another kind is never sent to the server. */
function refuseOtherTokens(token: Secret): void {
  const prefix = shipfoxPrefixOf(token.reveal())
  const isProvisioner = prefix === PROVISIONER_TOKEN_PREFIX
  if (isProvisioner && SENDABLE.test(token.reveal())) return
  const found =
    prefix === null || isProvisioner ? 'does not' : `starts with ${prefix}, so it is another kind of token`
  throw new SourceError(
    'unauthorized',
    `A provisioner token has the form "${PROVISIONER_TOKEN_PREFIX}" and ${TOKEN_RANDOM_CHARACTERS} characters; the configured token ${found}. Check SHIPFOX_PROVISIONER_TOKEN.`,
  )
}

async function detectGeneration(api: Api, signal: AbortSignal): Promise<Generation> {
  const result = await api.tryAsk(PROBE, signal)
  const generation = 'refusal' in result ? generationBy(result.refusal) : null
  if (generation !== null) return generation
  if ('refusal' in result) throw refusalError(result.refusal, PROBE, api.url)
  throw new SourceError('protocol', `Could not ${PROBE.does}: ${api.url} accepted an invalid request.`)
}

/** Answers that only an existing route gives. The scope is checked before the body. */
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
 * The reservation lifetime requested from v2: 60 s, as in v1, or the registration deadline (120 s by default) if that is
 * shorter. A longer lifetime would delay jobs after a crash, because the units of lost v2 runners are blocked until they
 * expire, and hosts that are online start a runner within seconds. (Jobs that need a new host are not reserved until
 * that host is online.)
 */
function reservationTtlMs(generation: Generation, registrationDeadlineMs: number): number {
  if (generation === 'v1') return RESERVATION_TTL_MS
  const seconds = Math.floor(Math.min(registrationDeadlineMs, RESERVATION_TTL_MS) / 1000)
  return Math.max(seconds, 1) * 1000
}
