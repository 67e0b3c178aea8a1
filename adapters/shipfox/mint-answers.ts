import type { Template } from '../../core/model/index.ts'
import { type Mint, type MintRequest, SourceError } from '../../core/ports/index.ts'
import { type Refusal, refusalError } from './failures.ts'
import type { Session } from './session.ts'

export type Runners = MintRequest['runners']
export type MintFailure = Extract<Mint, { ok: false }>

/** One mint per runner, or: nothing was minted, because the server takes no more than `batchMax` at once. */
export type BatchResult = { readonly mints: readonly Mint[] } | { readonly batchMax: number }

export function refusing(
  runners: Runners,
  code: MintFailure['code'],
  reason: string,
): readonly MintFailure[] {
  return runners.map(({ id }) => ({ runner: id, ok: false, code, reason }))
}

/**
 * A mint without a readable answer: every runner is `mint-unknown`, unless the request surely never left, which is
 * thrown. An unreadable answer counts as lost, because it was a yes.
 */
export function afterSilence(session: Session, runners: Runners, thrown: unknown): readonly MintFailure[] {
  if (!(thrown instanceof SourceError) || thrown.kind === 'unavailable') throw thrown
  session.log.error('source.mint.lost', {
    source: session.id,
    runners: runners.map(({ id }) => id),
    why: thrown.message,
  })
  return refusing(runners, 'mint-unknown', thrown.message)
}

/**
 * A refusal that stands: thrown, unless the server may have minted all the same (5xx). A route that is gone means that
 * the server was upgraded: nothing was minted, and the next try is made in its new generation.
 */
export function afterRefusal(
  session: Session,
  runners: Runners,
  refusal: Refusal,
  does: string,
): readonly MintFailure[] {
  if (refusal.code === 'not-found' && session.options.protocol === 'auto') {
    session.forget()
    const message = `Could not ${does}. Shipfox at ${session.api.url} does not speak ${session.generation} any more; Slipway looks again.`
    throw new SourceError('unavailable', message)
  }
  const error = refusalError(refusal, { does, effect: 'once' }, session.api.url)
  if (error.kind !== 'unknown-outcome') throw error
  return afterSilence(session, runners, error)
}

/** Hands every token out once, whatever the server sends. */
export class FreshTokens {
  readonly #seen = new Set<string>()

  take(token: string): boolean {
    const fresh = !this.#seen.has(token)
    this.#seen.add(token)
    return fresh
  }
}

/** The plain part of a runner's environment, the same in both generations. A template's own `env` is the core's. */
export function runnerEnv({ options }: Session, template: Template): Readonly<Record<string, string>> {
  const lifetimeSeconds = options.runnerMaxLifetimeSeconds ?? Math.ceil(template.maxLifetimeMs / 1000)
  return {
    SHIPFOX_API_URL: options.runnerApiUrl,
    SHIPFOX_RUNNER_LABELS: template.labels.join(','),
    SHIPFOX_POLL_MAX_DURATION_MS: String(options.runnerPollMaxDurationMs),
    SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: String(lifetimeSeconds),
  }
}
