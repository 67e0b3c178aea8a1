import { randomUUID } from 'node:crypto'
import { unreachable } from '../../core/model/errors.ts'
import type { Secret } from '../../core/model/secret.ts'
import type { EpochMs } from '../types.ts'
import { rateLimited, Refusal, unauthorized } from './refusal.ts'
import { runnerByProviderId } from './reports.ts'
import { heldReservation } from './reservations.ts'
import { isTerminal, type RunnerRow, type SessionRow, type TokenRow } from './rows.ts'
import { hashToken, TOKEN_PREFIX } from './tokens.ts'
import type { World } from './world.ts'

/** Registration attempts per token and fixed window. */
const REGISTER_ATTEMPTS_MAX = 5
const REGISTER_WINDOW_MS = 60_000
const CONTROL_SESSION_TTL_MS = 3_600_000
/** The protocol specifies no lifetime; a runner registers at once, so the bootstrap token's lifetime is enough. */
const ACTIVATION_TTL_MS = 300_000
/** Sessions and leases end with their job; this expiry only lets the sweep remove abandoned ones. */
export const SESSION_TTL_MS = 86_400_000

/** The row of a token of this kind, used or not, unless it has expired. */
export function requireToken(
  world: World,
  token: Secret | null,
  kind: TokenRow['kind'],
  now: EpochMs,
): TokenRow {
  if (token === null || !token.reveal().startsWith(TOKEN_PREFIX[kind])) throw unauthorized()
  const row = world.tokens.get(hashToken(token))
  if (row === undefined || row.kind !== kind) throw unauthorized()
  if (row.expiresAt <= now) throw expired(kind)
  return row
}

function expired(kind: TokenRow['kind']): Refusal {
  switch (kind) {
    case 'registration':
      return new Refusal(401, 'registration-token-expired')
    case 'activation':
      return new Refusal(401, 'activation-token-expired')
    case 'bootstrap':
    case 'control':
    case 'session':
    case 'lease':
      return unauthorized()
    default:
      return unreachable(kind)
  }
}

/** Counts the registration attempt, and returns the row of the token that this generation requires. */
export function requireRegisterToken(world: World, token: Secret | null, now: EpochMs): TokenRow {
  if (token !== null) countRegisterAttempt(world, hashToken(token), now)
  return unusedToken(world, token, now)
}

function unusedToken(world: World, token: Secret | null, now: EpochMs): TokenRow {
  const kind = world.protocol === 'v1' ? 'registration' : 'activation'
  const row = requireToken(world, token, kind, now)
  if (row.consumedAt !== null) throw new Refusal(409, `${kind}-token-consumed`)
  return row
}

function countRegisterAttempt(world: World, hash: string, now: EpochMs): void {
  if (!world.tokens.get(hash)) return // unknown tokens are refused anyway and must not use memory
  const window = world.registerWindows.get(hash)
  if (window === undefined || now >= window.startedAt + REGISTER_WINDOW_MS) {
    world.registerWindows.set(hash, { startedAt: now, attempts: 1 })
    return
  }
  if (window.attempts >= REGISTER_ATTEMPTS_MAX) throw rateLimited(window.startedAt + REGISTER_WINDOW_MS - now)
  window.attempts += 1
}

/** Consumes the token and opens the session. Synchronous, so only one of concurrent callers succeeds. */
export function registerRunner(
  world: World,
  registerToken: Secret | null,
  labels: readonly string[],
  now: EpochMs,
): { session: SessionRow; token: Secret } {
  const row = unusedToken(world, registerToken, now)
  world.tokens.put({ ...row, consumedAt: now })
  const runner = runnerOfToken(world, row)
  const providerRunnerId =
    row.kind === 'registration' ? row.subject : (runner?.providerRunnerId ?? row.subject)
  const session: SessionRow = { id: randomUUID(), providerRunnerId, labels, createdAt: now, jobId: null }
  world.sessions.put(session)
  if (runner !== undefined) world.runners.put({ ...runner, sessionId: session.id })
  world.emit({ type: 'runner.registered', at: now, runnerId: providerRunnerId, sessionId: session.id })
  return { session, token: world.mintToken('session', session.id, now + SESSION_TTL_MS) }
}

function runnerOfToken(world: World, row: TokenRow): RunnerRow | undefined {
  return row.kind === 'registration' ? runnerByProviderId(world, row.subject) : world.runners.get(row.subject)
}

/** v2: exchanges a bootstrap token, once, for a control session. */
export function exchangeBootstrap(
  world: World,
  token: Secret,
  now: EpochMs,
): { instanceId: string; control: Secret; expiresAt: EpochMs } {
  const row = world.tokens.get(hashToken(token))
  if (row?.kind !== 'bootstrap' || row.consumedAt !== null || row.expiresAt <= now) {
    throw new Refusal(401, 'runner-bootstrap-token-invalid')
  }
  world.tokens.put({ ...row, consumedAt: now })
  const expiresAt = now + CONTROL_SESSION_TTL_MS
  return { instanceId: row.subject, control: world.mintToken('control', row.subject, expiresAt), expiresAt }
}

/** v2: enrols a runner. A runner launched for a live reservation is bound to it and may register at once. */
export function enrolRunner(
  world: World,
  instanceId: string,
  labels: readonly string[],
  now: EpochMs,
): Secret | null {
  const runner = world.runners.get(instanceId)
  if (runner === undefined) throw unauthorized()
  const reservationId = runner.reservationId ?? heldReservation(world, runner, now)?.id ?? null
  world.runners.put({ ...runner, labels, enrolledAt: runner.enrolledAt ?? now, reservationId })
  return activate(world, instanceId, now)
}

/** v2: a token to register with, if the runner holds a live reservation and has no session yet; else null. */
export function activate(world: World, instanceId: string, now: EpochMs): Secret | null {
  const runner = world.runners.get(instanceId)
  if (runner === undefined || runner.enrolledAt === null || isTerminal(runner.state)) return null
  if (runner.sessionId !== null || heldReservation(world, runner, now) === null) return null
  return world.mintToken('activation', instanceId, now + ACTIVATION_TTL_MS)
}
