/** Enough to read what a server says; an endless message helps nobody. */
const QUOTE_MAX_CHARS = 300
/** Shipfox's tokens of every kind. */
const TOKEN = /sf_[a-z]+_[A-Za-z0-9_-]*/g
/** Tokens without their prefix, or in base64; longer than a UUID (36), not longer than a token's random part (43). */
const LONG_RUN = /[A-Za-z0-9+/=_-]{40,}/g
const CONTROL = /\p{Cc}+/gu

/** Text of a server, made fit for a message or a log: it may echo a request header, and so the token. */
export function quote(text: string): string {
  const plain = text.replaceAll(CONTROL, ' ').replaceAll(TOKEN, '[secret]').replaceAll(LONG_RUN, '[secret]')
  return plain.length <= QUOTE_MAX_CHARS ? plain : `${plain.slice(0, QUOTE_MAX_CHARS)}…`.toWellFormed()
}
