import { Secret } from '../../core/model/index.ts'
import type { Mint, MintRequest } from '../../core/ports/index.ts'
import type * as z from 'zod'
import type { Call } from './api.ts'
import type { Refusal } from './failures.ts'
import {
  afterRefusal,
  afterSilence,
  type BatchResult,
  FreshTokens,
  type MintFailure,
  refusing,
  runnerEnv,
  type Runners,
} from './mint-answers.ts'
import type { Session } from './session.ts'
import { BatchExceeds, BatchTooLarge, RegistrationTokens, TokenActive } from './wire.ts'

/**
 * Registration tokens for runners with ids that Slipway chose. The server mints all or nothing, and its refusal says
 * which runners are the problem; the others are requested again, once per refusal code. Throws only while nothing was
 * minted.
 */
export async function mintV1(
  session: Session,
  { reservation, runners }: MintRequest,
  signal: AbortSignal,
): Promise<BatchResult> {
  if (reservation === null)
    return { mints: refusing(runners, 'mint-refused', 'A v1 server mints no token without a reservation.') }
  const settled: Mint[] = []
  const seenCodes = new Set<string>()
  let rest = runners
  while (rest.length > 0) {
    const call = toCall(reservation, rest)
    const result = await session.api.tryAsk(call, signal).catch((thrown: unknown) => ({ thrown }))
    if ('thrown' in result) return { mints: [...settled, ...afterSilence(session, rest, result.thrown)] }
    if ('answered' in result)
      return { mints: [...settled, ...readTokens(session, rest, result.answered.value)] }
    const { refusal } = result
    if (refusal.code === 'batch-too-large') return { batchMax: smallerBatch(refusal, rest.length) }
    const narrowed = narrow(refusal, rest, seenCodes)
    if (narrowed === null) return { mints: [...settled, ...afterRefusal(session, rest, refusal, call.does)] }
    session.log.emit({
      name: 'source.mint.narrowed',
      source: session.id,
      code: refusal.code,
      from: rest.length,
      to: narrowed.retry.length,
    })
    settled.push(...narrowed.settled)
    rest = narrowed.retry
  }
  return { mints: settled }
}

type Tokens = z.infer<typeof RegistrationTokens>

function toCall(reservation: string, runners: Runners): Call<Tokens> {
  return {
    does: 'mint registration tokens',
    method: 'POST',
    path: '/provisioners/runner-registration-tokens/batch',
    body: {
      reservation_id: reservation,
      runner_instances: runners.map(({ id }) => ({ provider_runner_id: id })),
    },
    answer: RegistrationTokens,
    effect: 'once',
  }
}

function readTokens(session: Session, runners: Runners, { tokens }: Tokens): readonly Mint[] {
  const byRunner = new Map(tokens.map((row) => [row.provider_runner_id, row.registration_token]))
  const fresh = new FreshTokens()
  return runners.map(({ id, template }) => {
    const token = byRunner.get(id)
    if (token === undefined || !fresh.take(token))
      return {
        runner: id,
        ok: false,
        code: 'mint-unknown',
        reason: 'The server sent no token for this runner.',
      }
    return {
      runner: id,
      ok: true,
      env: runnerEnv(session, template),
      secretEnv: { SHIPFOX_RUNNER_REGISTRATION_TOKEN: new Secret(token) },
    }
  })
}

export interface Narrowed {
  readonly settled: readonly MintFailure[]
  readonly retry: Runners
}

/** Which runners to request again after a refusal; null = the code is unknown. `seenCodes`: codes of earlier refusals. */
export function narrow(refusal: Refusal, runners: Runners, seenCodes: Set<string>): Narrowed | null {
  const again = seenCodes.has(refusal.code ?? '')
  seenCodes.add(refusal.code ?? '')
  switch (refusal.code ?? '') {
    case 'reservation-not-found':
    case 'reservation-expired':
      return { settled: refusing(runners, 'reservation-expired', 'The reservation has expired.'), retry: [] }
    case 'batch-exceeds-reservation':
      return withinReservation(refusal.details, again ? 0 : null, runners)
    case 'registration-token-active':
      return withoutActive(refusal.details, again, runners)
    default:
      return null
  }
}

function withinReservation(details: unknown, noneLeft: 0 | null, runners: Runners): Narrowed {
  const parsed = BatchExceeds.safeParse(details)
  const left = parsed.success ? parsed.data.reservation_count - parsed.data.already_minted : 0
  const fits = noneLeft ?? Math.max(left, 0)
  // If the batch fits by the server's own count, requesting it again would be refused for ever.
  const retry = fits < runners.length ? runners.slice(0, fits) : []
  const reason = 'The reservation has no unit left for this runner: its other units have tokens already.'
  return { settled: refusing(runners.slice(retry.length), 'mint-refused', reason), retry }
}

/** The server has a token for such an id, but its answer was lost: the token can be neither fetched again nor used. */
function withoutActive(details: unknown, again: boolean, runners: Runners): Narrowed {
  const parsed = TokenActive.safeParse(details)
  const active = new Set(parsed.success ? parsed.data.provider_runner_ids : runners.map(({ id }) => id))
  const blocked = runners.filter(({ id }) => active.has(id))
  const open = runners.filter(({ id }) => !active.has(id))
  const lost = refusing(blocked, 'mint-unknown', 'The answer with an earlier token of this runner was lost.')
  if (!again && blocked.length > 0) return { settled: lost, retry: open }
  return {
    settled: [
      ...lost,
      ...refusing(open, 'mint-refused', 'The server refused the batch because of tokens of other runners.'),
    ],
    retry: [],
  }
}

/** Always smaller than the refused batch, whatever the server says. */
function smallerBatch({ details }: Refusal, refused: number): number {
  const parsed = BatchTooLarge.safeParse(details)
  const half = Math.max(Math.floor(refused / 2), 1)
  return parsed.success && parsed.data.max < refused ? parsed.data.max : half
}
