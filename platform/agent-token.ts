import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type HostId, hostId, LOCAL_HOST, NAME_PATTERN, Secret } from '../core/model/index.ts'

/** `sla_<host>_<43 base64url characters>`: contains the host, so that one read finds the hash to compare with. */
const TOKEN = /^sla_(?<host>[^_]+)_[A-Za-z0-9_-]{43}$/
const RANDOM_BYTES = 32

export function newAgentToken(host: HostId): Secret {
  return new Secret(`sla_${host}_${randomBytes(RANDOM_BYTES).toString('base64url')}`)
}

/** The host that a token names. A token without a host can only be the local agent's, which its owner chose. */
export function hostOfAgentToken(token: Secret): HostId {
  const host = TOKEN.exec(token.reveal())?.groups?.['host']
  return host !== undefined && NAME_PATTERN.test(host) ? hostId(host) : LOCAL_HOST
}

/** SHA-256, hex; the hub stores only this. The token is random, so it needs no salt. */
export function hashAgentToken(token: Secret): string {
  return createHash('sha256').update(token.reveal()).digest('hex')
}

export function isAgentToken(token: Secret, hash: string): boolean {
  const given = Buffer.from(hashAgentToken(token), 'hex')
  const kept = Buffer.from(hash, 'hex')
  return given.length === kept.length && timingSafeEqual(given, kept)
}
