import { truncate, HIDDEN_SECRET, redactTokens, toPrintableLine } from '../../core/model/index.ts'

/** Enough to understand a server's message. */
const QUOTE_MAX_CHARS = 300
/**
 * Tokens without their prefix, or in base64: longer than a UUID (36), at most as long as a token's random part (43).
 * Only for texts of servers: the log of a job holds many such texts that are not secret.
 */
const LONG_RUN = /[A-Za-z0-9+/=_-]{40,}/g

/** A server's text for a message or a log, without tokens: it may echo a request header, and so the token. */
export function quote(text: string): string {
  const plain = redactTokens(toPrintableLine(text)).replaceAll(LONG_RUN, HIDDEN_SECRET)
  return truncate(plain, QUOTE_MAX_CHARS)
}
