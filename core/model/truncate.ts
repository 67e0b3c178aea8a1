/** At most so many characters of a text; what was cut off is marked, and half a character of it is none. */
export function truncate(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1)}…`.toWellFormed()
}
