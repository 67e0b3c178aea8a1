/** Cuts a text to at most `maxCharacters`; a cut is marked with "…" and never splits a surrogate pair. */
export function truncate(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1)}…`.toWellFormed()
}
