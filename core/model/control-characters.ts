/*
 * Texts that other people and programs wrote (an agent's version, a job's name, a server's message) may hold
 * characters that steer a terminal, turn the direction of writing, or break a line. One module takes them out, so
 * that every log, message and command does it the same way (X9).
 */

/** Control and format characters (ESC, CR, bidirectional marks) and the separators of lines and paragraphs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const UNPRINTABLE_RUN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu
const CONTROL = /\p{Cc}/u

/** One printable line for people: each run of unprintable characters becomes a space. */
export function toPrintableLine(text: string): string {
  return text.replaceAll(UNPRINTABLE_RUN, ' ')
}

/** One printable line that keeps what was there: `\u001b` stands for ESC. JSON text stays JSON of the same value. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, escaped)
}

/** Whether a text holds a control character such as NUL, a line end or ESC. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text)
}

/** A character beyond the basic plane is two code units, and JSON escapes each. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}
