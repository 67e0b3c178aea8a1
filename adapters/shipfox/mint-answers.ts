import type { Template } from '../../core/model/index.ts'
import { type Mint, type MintRequest, SourceError } from '../../core/ports/index.ts'
import { type Refusal, refusalError } from './failures.ts'
import type { Session } from './session.ts'

export type Runners = MintRequest['runners']
export type MintFailure = Extract<Mint, { ok: false }>

/** One mint per runner; or `batchMax`: nothing was minted, because the server accepts at most that many at once. */
export type BatchResult = { readonly mints: readonly Mint[] } | { readonly batchMax: number }

export function refusing(
  runners: Runners,
  code: MintFailure['code'],
  reason: string,
): readonly MintFailure[] {
  return runners.map(({ id }) => ({ runner: id, ok: false, code, reason }))
}

/**
 * After a mint without a valid answer: every runner is `mint-unknown`. Throws if the request was certainly not sent. An
 * invalid answer counts as lost, because the server accepted the call.
 */
export function afterSilence(session: Session, runners: Runners, thrown: unknown): readonly MintFailure[] {
  if (!(thrown instanceof SourceError) || thrown.kind === 'unavailable') throw thrown
  session.log.emit({
    name: 'source.mint.lost',
    source: session.id,
    runners: runners.map(({ id }) => id),
    reason: thrown.message,
  })
  return refusing(runners, 'mint-unknown', thrown.message)
}

/**
 * After a final refusal: throws, unless the server may have minted anyway (5xx). A missing route means that the server
 * was upgraded: nothing was minted, and the next call detects the generation again.
 */
export function afterRefusal(
  session: Session,
  runners: Runners,
  refusal: Refusal,
  does: string,
): readonly MintFailure[] {
  if (refusal.code === 'not-found' && session.options.protocol === 'auto') {
    session.forget()
    const message = `Could not ${does}. Shipfox at ${session.api.url} no longer supports ${session.generation}. Slipway detects its generation again.`
    throw new SourceError('unavailable', message)
  }
  const error = refusalError(refusal, { does, effect: 'once' }, session.api.url)
  if (error.kind !== 'unknown-outcome') throw error
  return afterSilence(session, runners, error)
}

/** Ensures that no token is used twice, even if the server sends it twice. */
export class FreshTokens {
  readonly #seen = new Set<string>()

  take(token: string): boolean {
    const fresh = !this.#seen.has(token)
    this.#seen.add(token)
    return fresh
  }
}

/** The part of a runner's environment without secrets, the same in both generations. The core adds the template's `env`. */
export function runnerEnv({ options }: Session, template: Template): Readonly<Record<string, string>> {
  const lifetimeSeconds = options.runnerMaxLifetimeSeconds ?? Math.ceil(template.maxLifetimeMs / 1000)
  return {
    SHIPFOX_API_URL: options.runnerApiUrl,
    SHIPFOX_RUNNER_LABELS: template.labels.join(','),
    SHIPFOX_POLL_MAX_DURATION_MS: String(options.runnerPollMaxDurationMs),
    SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: String(lifetimeSeconds),
  }
}
