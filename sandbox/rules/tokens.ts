import { createHash, randomBytes } from 'node:crypto'
import { Secret } from '../../core/model/secret.ts'

/** The prefix of each kind of token. The protocol defines the first five; the last two exist only in the sandbox. */
export const TOKEN_PREFIX = {
  provisioner: 'sf_pt_',
  registration: 'sf_ert_',
  bootstrap: 'sf_rbt_',
  control: 'sf_rcs_',
  activation: 'sf_rat_',
  session: 'sf_rs_',
  lease: 'sf_jl_',
} as const

export type TokenKind = keyof typeof TOKEN_PREFIX

/** 32 random bytes are the 43 base64url characters that follow the prefix. */
export function newToken(kind: TokenKind): Secret {
  return new Secret(TOKEN_PREFIX[kind] + randomBytes(32).toString('base64url'))
}

/** Only this hash of a token is stored: 256 random bits need no salt and no slow hash. */
export function hashToken(token: Secret): string {
  return createHash('sha256').update(token.reveal()).digest('hex')
}

/** Whether the text has the form of a provisioner token. */
export function isProvisionerToken(token: Secret): boolean {
  return /^sf_pt_[A-Za-z0-9_-]{43}$/.test(token.reveal())
}
