/** An error answer of the protocol: `code` and `details` are copied into the error body. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(
    status: number,
    code: string,
    extra: { message?: string; details?: Record<string, unknown> } = {},
  ) {
    super(extra.message ?? '')
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.details = extra.details
  }
}

export const unauthorized = (): Refusal => new Refusal(401, 'unauthorized')
export const notFound = (): Refusal => new Refusal(404, 'not-found')

/** 429 with the seconds until the fixed window ends, for the body and the `Retry-After` header. */
export function rateLimited(retryAfterMs: number): Refusal {
  return new Refusal(429, 'rate-limited', {
    details: { retry_after_seconds: Math.max(1, Math.ceil(retryAfterMs / 1000)) },
  })
}
