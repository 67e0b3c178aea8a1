/** Enough to understand a server's message. */
const QUOTE_MAX_CHARS = 300
/** Shipfox's tokens of every kind. */
const TOKEN = /sf_[a-z]+_[A-Za-z0-9_-]*/g
/** Tokens without their prefix, or in base64: longer than a UUID (36), at most as long as a token's random part (43). */
const LONG_RUN = /[A-Za-z0-9+/=_-]{40,}/g
const CONTROL = /\p{Cc}+/gu

/** A server's text for a message or a log, without tokens: it may echo a request header, and so the token. */
export function quote(text: string): string {
  const plain = text.replaceAll(CONTROL, ' ').replaceAll(TOKEN, '[secret]').replaceAll(LONG_RUN, '[secret]')
  return plain.length <= QUOTE_MAX_CHARS ? plain : `${plain.slice(0, QUOTE_MAX_CHARS)}…`.toWellFormed()
}
