import { HIDDEN_SECRET } from './secret.ts'

/*
 * The shapes of the tokens that Slipway and its sources hand out. The checks of settings, the refusal of tokens in a
 * templates file and the redaction of messages, logs and crash reports all read this one list.
 */

export const PROVISIONER_TOKEN_PREFIX = 'sf_pt_'
/** The random part: 32 bytes in base64url. */
export const TOKEN_RANDOM_CHARACTERS = 43

/*
 * Literals, although they repeat a part: bundlers keep a `new RegExp(…)` even in a function that never uses it.
 */

/** Each kind of Shipfox token has a prefix of its own. */
const SHIPFOX_PREFIX = /^sf_[a-z]+_/
const PROVISIONER_TOKEN = /^sf_pt_[\w-]{43}$/
/** Too long for a name, and short enough to find a token that was cut. */
const HELD_SHIPFOX_TOKEN = /sf_[a-z]+_[\w-]{20}/i

/** Every shape that is redacted. A shape hides too much rather than too little: a damaged token may still be guessed. */
const REDACTED: readonly RegExp[] = [
  /sf_[a-z]+_[\w-]+/gi,
  // Slipway's own, which name their host.
  /\bsla_[a-z0-9-]+_[\w-]{16,}/g,
  // GitHub's, and JSON Web Tokens.
  /\b(?:gh[a-z]_|github_pat_|eyJ)[\w.-]{16,}/g,
]

/** The text with each token replaced by `[secret]`. */
export function redactTokens(text: string): string {
  return REDACTED.reduce((hidden, shape) => hidden.replaceAll(shape, HIDDEN_SECRET), text)
}

/** Whether a text holds a Shipfox token of any kind, whole or cut. */
export function holdsShipfoxToken(text: string): boolean {
  return HELD_SHIPFOX_TOKEN.test(text)
}

/** The prefix that tells the kind of a Shipfox token (`sf_ert_`); null for any other text. */
export function shipfoxPrefixOf(text: string): string | null {
  return SHIPFOX_PREFIX.exec(text)?.[0] ?? null
}

/** Whether a text is a provisioner token: its prefix and 43 characters. */
export function isProvisionerToken(text: string): boolean {
  return PROVISIONER_TOKEN.test(text)
}
