import { SourceError, type SourceFailureKind } from '../../core/ports/index.ts'
import type { HttpFailure } from './http.ts'
import { quote } from './redact.ts'
import { ErrorBody } from './wire.ts'

/** `repeatable`: the call is idempotent. `once`: it is not, so after a lost answer its effect is unknown. */
export type Effect = 'repeatable' | 'once'

/** An answer with a status other than 200. */
export interface Refusal {
  readonly status: number
  /** Null = the body is not an error of this protocol. */
  readonly code: string | null
  readonly message: string | null
  readonly details: unknown
  readonly retryAfterMs: number | null
}

/** Matches the statuses `from` to `to`, and `code` if it is set. */
interface Row {
  readonly from: number
  readonly to: number
  readonly code?: string
  /** `lost`: it is unknown whether the call had its effect. */
  readonly kind: SourceFailureKind | 'lost'
}

/** First match wins. */
const KINDS: readonly Row[] = [
  { from: 401, to: 401, kind: 'unauthorized' },
  { from: 403, to: 403, kind: 'unauthorized' },
  { from: 429, to: 429, kind: 'rate-limited' },
  // Sent by a proxy: the request did not end in time.
  { from: 408, to: 408, kind: 'lost' },
  // The rate limiter runs first, so the call had no effect.
  { from: 503, to: 503, code: 'runners-rate-limit-unavailable', kind: 'unavailable' },
  { from: 500, to: 599, kind: 'lost' },
]

/** The failure kind of a refused call. Any other status is `protocol`: it should not happen. */
export function kindOfRefusal(status: number, code: string | null, effect: Effect): SourceFailureKind {
  const row = KINDS.find(
    (one) => status >= one.from && status <= one.to && (one.code === undefined || one.code === code),
  )
  if (row === undefined) return 'protocol'
  return row.kind === 'lost' ? lost(effect) : row.kind
}

/** The failure kind of a call without an answer. */
export function kindOfSilence(failure: HttpFailure, effect: Effect): SourceFailureKind {
  if (failure.code === 'answer-too-large') return 'protocol'
  return failure.sent ? lost(effect) : 'unavailable'
}

/** The failure kind of a call whose answer was lost: a repeatable call can simply be sent again. */
function lost(effect: Effect): SourceFailureKind {
  return effect === 'repeatable' ? 'unavailable' : 'unknown-outcome'
}

const NEW_TOKEN =
  'Create a provisioner token in Shipfox and set it: SHIPFOX_PROVISIONER_TOKEN on one machine, `slipway secret set` for a hub on AWS.'
const CHECK_URL = 'Check SHIPFOX_API_URL, including its path prefix.'
const REPORT_BUG = 'This is a bug in Slipway, or the server is newer than this version of Slipway.'

/** The meaning of each error code, and what to do. */
const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: `the provisioner token is missing, unknown or of another kind. ${NEW_TOKEN}`,
  'provisioner-token-expired': `the provisioner token has expired. ${NEW_TOKEN}`,
  'provisioner-token-revoked': `the provisioner token was revoked. ${NEW_TOKEN}`,
  forbidden:
    'the scope of the provisioner token is not allowed here. Use a workspace token, or allow this host in the installation.',
  'rate-limited': 'too many calls with this token. Slipway waits for the time that the server requests.',
  'runners-rate-limit-unavailable': 'its rate limiter does not answer. Slipway retries.',
  'server-error': 'internal error. If this continues, check the Shipfox server.',
  'not-found': `it has no such route. ${CHECK_URL} If the protocol is configured (SHIPFOX_PROTOCOL), it may be wrong.`,
  'reservation-not-found': 'the reservation is unknown or was already removed.',
  'reservation-expired': 'the reservation has expired.',
  'batch-exceeds-reservation': 'the reservation has fewer units left.',
  'registration-token-active': 'one of these runners already has an unused token.',
  'validation-error': `the request is invalid. ${REPORT_BUG}`,
  'invalid-json-body': `it could not read the request. ${REPORT_BUG}`,
  'empty-json-body': `it could not read the request. ${REPORT_BUG}`,
  'invalid-media-type': `it could not read the request. ${REPORT_BUG}`,
  'body-too-large': `the request is too large. ${REPORT_BUG}`,
  'batch-too-large': `the batch is too large. ${REPORT_BUG}`,
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
  const uncertain = kind === 'unknown-outcome' ? ' The call may have had its effect anyway.' : ''
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
    return 'redirects are not followed, because the token must not be sent to another server. Set SHIPFOX_API_URL to the target of the redirect.'
  if (status === 401 || status === 403) return `a proxy in front of it refused the call. ${CHECK_URL}`
  if (status === 429) return 'a proxy in front of it limits the rate of calls. Slipway waits.'
  if (status === 408 || status >= 500)
    return 'the server or a proxy in front of it is failing. Slipway retries.'
  if (code === null) return `this is not the Shipfox API. ${CHECK_URL}`
  return REPORT_BUG
}

/** Why a connection failed, by Node's error code. */
const SILENCE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its host name cannot be resolved. Check SHIPFOX_API_URL and the DNS of this machine',
  EAI_AGAIN: 'its host name cannot be resolved at the moment. Check the DNS of this machine',
  ECONNREFUSED: 'nothing listens at this address. Check SHIPFOX_API_URL, and that the server is running',
  EHOSTUNREACH: 'there is no route to it. Check the network',
  ENETUNREACH: 'there is no route to it. Check the network',
  ETIMEDOUT: 'it does not answer. Check the network and firewalls',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
  EPROTO: 'TLS failed. Check whether SHIPFOX_API_URL should begin with http:// or https://',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'TLS failed. Check whether SHIPFOX_API_URL should begin with http:// or https://',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed. Trust it with NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted here. Trust its issuer with NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is not trusted here. Trust its issuer with NODE_EXTRA_CA_CERTS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name. Check SHIPFOX_API_URL',
  deadline: 'no complete answer arrived in time',
  aborted: 'the call was aborted',
  'answer-too-large': 'the answer is far larger than any answer of Shipfox',
  'answer-cut': 'the answer was truncated',
}

export function silenceError(
  failure: HttpFailure,
  call: { does: string; effect: Effect },
  url: string,
): SourceError {
  const kind = kindOfSilence(failure, call.effect)
  const why =
    SILENCE[failure.code] ?? (failure.code.startsWith('HPE_') ? 'it does not speak HTTP' : 'it failed')
  const uncertain = kind === 'unknown-outcome' ? ' The call may have had its effect anyway.' : ''
  return new SourceError(
    kind,
    `Could not ${call.does}. Shipfox at ${url}: ${why} (${failure.code}).${uncertain}`,
    { cause: failure },
  )
}

/** The form of the protocol's codes; any other text may echo a secret and is dropped. */
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

/** Lower bound, also when the server asks for no wait at all. */
const RETRY_AFTER_MIN_MS = 1000
/** Five windows of the mint limit: an absurd value must not silence a source for hours. */
const RETRY_AFTER_MAX_MS = 300_000
/** For a 429 without a time: one window of the mint limit. */
const RETRY_AFTER_DEFAULT_MS = 60_000

/** From `Retry-After` (seconds or a date), else from the body (seconds). Null = neither, and the status is not 429. */
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
