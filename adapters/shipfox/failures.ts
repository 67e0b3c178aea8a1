import { SourceError, type SourceFailureKind } from '../../core/ports/index.ts'
import type { HttpFailure } from './http.ts'
import { quote } from './redact.ts'
import { ErrorBody } from './wire.ts'

/** `repeatable`: sending the call twice is the same as once. `once`: it isn't, so a lost answer stays unknown. */
export type Effect = 'repeatable' | 'once'

/** An answer that is no 200. */
export interface Refusal {
  readonly status: number
  /** Null: the body is not an error of this protocol. */
  readonly code: string | null
  readonly message: string | null
  readonly details: unknown
  readonly retryAfterMs: number | null
}

/** Statuses `from` to `to`, with any code unless one is named. */
interface Row {
  readonly from: number
  readonly to: number
  readonly code?: string
  /** `lost`: nobody can tell whether the call had its effect. */
  readonly kind: SourceFailureKind | 'lost'
}

/** First match wins. */
const KINDS: readonly Row[] = [
  { from: 401, to: 401, kind: 'unauthorized' },
  { from: 403, to: 403, kind: 'unauthorized' },
  { from: 429, to: 429, kind: 'rate-limited' },
  // A proxy's own "the request did not end in time".
  { from: 408, to: 408, kind: 'lost' },
  // The rate limiter stands before any work.
  { from: 503, to: 503, code: 'runners-rate-limit-unavailable', kind: 'unavailable' },
  { from: 500, to: 599, kind: 'lost' },
]

/** What a refused call means for the core. Everything else is a request or an answer that should not have been. */
export function kindOfRefusal(status: number, code: string | null, effect: Effect): SourceFailureKind {
  const row = KINDS.find(
    (one) => status >= one.from && status <= one.to && (one.code === undefined || one.code === code),
  )
  if (row === undefined) return 'protocol'
  return row.kind === 'lost' ? lost(effect) : row.kind
}

/** What a call without an answer means for the core. */
export function kindOfSilence(failure: HttpFailure, effect: Effect): SourceFailureKind {
  if (failure.code === 'answer-too-large') return 'protocol'
  return failure.sent ? lost(effect) : 'unavailable'
}

/** A call that may be repeated loses nothing with its answer. */
function lost(effect: Effect): SourceFailureKind {
  return effect === 'repeatable' ? 'unavailable' : 'unknown-outcome'
}

const NEW_TOKEN =
  'Create a provisioner token in Shipfox and give it to Slipway: SHIPFOX_PROVISIONER_TOKEN, or `slipway secret set` for a hub on AWS.'
const CHECK_URL = 'Check SHIPFOX_API_URL, its path prefix too.'
const REPORT_BUG = 'This is a bug in Slipway, or a server newer than it.'

/** What to say and do about a code. */
const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: `the provisioner token is missing, unknown or of another kind. ${NEW_TOKEN}`,
  'provisioner-token-expired': `the provisioner token has expired. ${NEW_TOKEN}`,
  'provisioner-token-revoked': `the provisioner token was revoked. ${NEW_TOKEN}`,
  forbidden:
    'the scope of the provisioner token is not accepted here. Use a workspace token, or have the installation allow this host.',
  'rate-limited': 'too many calls with this token. Slipway waits as long as the server asks.',
  'runners-rate-limit-unavailable': 'its rate limiter does not answer. Slipway tries again.',
  'server-error': 'it failed inside. If this goes on, look at the Shipfox server.',
  'not-found': `it has no such route. ${CHECK_URL} A protocol that was set by hand may be the wrong one.`,
  'reservation-not-found': 'it does not know the reservation, or has forgotten it.',
  'reservation-expired': 'the reservation has expired.',
  'batch-exceeds-reservation': 'the reservation has fewer units left.',
  'registration-token-active': 'a token of one of these runners is still waiting to be used.',
  'validation-error': `it finds the request invalid. ${REPORT_BUG}`,
  'invalid-json-body': `it could not read the request. ${REPORT_BUG}`,
  'empty-json-body': `it could not read the request. ${REPORT_BUG}`,
  'invalid-media-type': `it could not read the request. ${REPORT_BUG}`,
  'body-too-large': `it finds the request too large. ${REPORT_BUG}`,
  'batch-too-large': `it finds the batch too large. ${REPORT_BUG}`,
}

/** `does` completes "could not …"; `url` is the API's base. */
export function refusalError(
  refusal: Refusal,
  call: { does: string; effect: Effect },
  url: string,
): SourceError {
  const kind = kindOfRefusal(refusal.status, refusal.code, call.effect)
  const wire = [String(refusal.status), refusal.code].filter((part) => part !== null).join(' ')
  const said = refusal.message === null ? '' : `: ${refusal.message}`
  const uncertain = kind === 'unknown-outcome' ? ' It may have had its effect all the same.' : ''
  return new SourceError(
    kind,
    `Could not ${call.does}. Shipfox at ${url} answered ${wire}${said}; ${adviceOn(refusal)}${uncertain}`,
    refusal.retryAfterMs === null ? {} : { retryAfterMs: refusal.retryAfterMs },
  )
}

function adviceOn({ status, code }: Refusal): string {
  const known = code === null ? undefined : ADVICE[code]
  if (known !== undefined) return known
  if (status >= 300 && status < 400)
    return 'a redirect is never followed, because the token must not travel on. Set SHIPFOX_API_URL to the address it leads to.'
  if (status === 401 || status === 403) return `something in front of it refuses us. ${CHECK_URL}`
  if (status === 429) return 'something in front of it limits us. Slipway waits.'
  if (status === 408 || status >= 500)
    return 'it, or something in front of it, is failing. Slipway tries again.'
  if (code === null) return `that is not the Shipfox API. ${CHECK_URL}`
  return REPORT_BUG
}

/** Why a connection failed, in words, by Node's code. */
const SILENCE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name does not resolve. Check SHIPFOX_API_URL and the DNS of this machine',
  EAI_AGAIN: 'its name does not resolve now. Check the DNS of this machine',
  ECONNREFUSED: 'nothing listens there. Check SHIPFOX_API_URL and that the server runs',
  EHOSTUNREACH: 'there is no route to it. Check the network',
  ENETUNREACH: 'there is no route to it. Check the network',
  ETIMEDOUT: 'it does not answer. Check the network and its firewall',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EPROTO: 'TLS failed. Check whether SHIPFOX_API_URL should begin with http:// or https://',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'TLS failed. Check whether SHIPFOX_API_URL should begin with http:// or https://',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed. Trust it with NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted here. Trust its issuer with NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is not trusted here. Trust its issuer with NODE_EXTRA_CA_CERTS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name. Check SHIPFOX_API_URL',
  deadline: 'no complete answer came in time',
  aborted: 'the call was given up',
  'answer-too-large': 'the answer is far larger than any answer of Shipfox',
  'answer-cut': 'the answer was cut off',
}

export function silenceError(
  failure: HttpFailure,
  call: { does: string; effect: Effect },
  url: string,
): SourceError {
  const kind = kindOfSilence(failure, call.effect)
  const why =
    SILENCE[failure.code] ?? (failure.code.startsWith('HPE_') ? 'it does not speak HTTP' : 'it failed')
  const uncertain = kind === 'unknown-outcome' ? ' The call may have had its effect all the same.' : ''
  return new SourceError(
    kind,
    `Could not ${call.does}. Shipfox at ${url}: ${why} (${failure.code}).${uncertain}`,
    { cause: failure },
  )
}

/** A code of the protocol; anything else might be an echo of something secret. */
const CODE = /^[a-z][a-z0-9-]{0,63}$/

export function readRefusal(answer: {
  status: number
  body: unknown
  retryAfter: string | null
  serverNow: number
}): Refusal {
  const parsed = ErrorBody.safeParse(answer.body)
  const { code, message, details } = parsed.success ? parsed.data : {}
  return {
    status: answer.status,
    code: code !== undefined && CODE.test(code) ? code : null,
    message: message === undefined ? null : quote(message),
    details,
    retryAfterMs: readRetryAfter(answer.retryAfter, details?.['retry_after_seconds'], answer),
  }
}

/** Asked to wait not at all, we still wait a moment. */
const RETRY_AFTER_MIN_MS = 1000
/** Five windows of the mint limit: an absurd value must not silence a source for hours. */
const RETRY_AFTER_MAX_MS = 300_000
/** A 429 that names no time: one whole window of the mint limit. */
const RETRY_AFTER_DEFAULT_MS = 60_000

/** `Retry-After` as seconds or as a date, then the seconds of the body. Null: nothing was said, and no 429. */
export function readRetryAfter(
  header: string | null,
  seconds: unknown,
  { status, serverNow }: { status: number; serverNow: number },
): number | null {
  const asked = [
    /^\d+$/.test(header ?? '') ? Number(header) * 1000 : Date.parse(header ?? '') - serverNow,
    typeof seconds === 'number' ? seconds * 1000 : NaN,
  ].find((ms) => !Number.isNaN(ms))
  if (asked === undefined) return status === 429 ? RETRY_AFTER_DEFAULT_MS : null
  return Math.min(Math.max(asked, RETRY_AFTER_MIN_MS), RETRY_AFTER_MAX_MS)
}
