import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type HostId, hostId, LOCAL_HOST, Secret } from '../core/model/index.ts'

/** `sla_<host>_<43 base64url characters>`: names its host, so that one read finds what to compare it with. */
const TOKEN = /^sla_(?<host>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)_[A-Za-z0-9_-]{43}$/
const RANDOM_BYTES = 32

export function newAgentToken(host: HostId): Secret {
  return new Secret(`sla_${host}_${randomBytes(RANDOM_BYTES).toString('base64url')}`)
}

/** The host that a token claims to be. One that names none can only be the local agent's: its owner chose it. */
export function hostOfAgentToken(token: Secret): HostId {
  const host = TOKEN.exec(token.reveal())?.groups?.['host']
  return host === undefined ? LOCAL_HOST : hostId(host)
}

/** What the hub keeps of a token: SHA-256, hex. The token is random enough to need no salt. */
export function hashAgentToken(token: Secret): string {
  return createHash('sha256').update(token.reveal()).digest('hex')
}

export function isAgentToken(token: Secret, hash: string): boolean {
  const given = Buffer.from(hashAgentToken(token), 'hex')
  const kept = Buffer.from(hash, 'hex')
  return given.length === kept.length && timingSafeEqual(given, kept)
}
