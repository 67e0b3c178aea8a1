import type { SourceId } from './ids.ts'

/** How a call to a source failed, which is all that the core decides on. */
export type SourceFailureKind =
  /** The token is missing, refused, expired or revoked: a person has to act; stop claiming. */
  | 'unauthorized'
  /** Wait `retryAfterMs` and try again. */
  | 'rate-limited'
  /** The call surely had no effect; may be tried again with backoff. */
  | 'unavailable'
  /** The call may or may not have had its effect; never repeat it blindly. */
  | 'unknown-outcome'
  /** The source's answer can't be parsed, or it refused the request as invalid. */
  | 'protocol'

/** Thrown by every method of a source; nothing else is. */
export class SourceError extends Error {
  readonly kind: SourceFailureKind
  readonly retryAfterMs: number | null

  constructor(
    kind: SourceFailureKind,
    message: string,
    options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'SourceError'
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

/** The source's token is not stored yet: `unauthorized`, and the message says what to do. */
export class SecretMissing extends SourceError {
  readonly parameter: string

  constructor(source: SourceId, parameter: string) {
    super(
      'unauthorized',
      `Source ${source} has no token: nothing is stored under ${parameter}. Store it with \`slipway secret set\`.`,
    )
    this.name = 'SecretMissing'
    this.parameter = parameter
  }
}
