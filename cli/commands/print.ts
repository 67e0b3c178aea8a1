/** Texts of jobs and hosts may hold control characters; escaped, they can't steer the terminal that shows them (X9). */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}

/** As `printable`, line by line. */
export function printableLines(text: string): readonly string[] {
  return text.split(/\r?\n/).map(printable)
}

/** Rows below a line of titles, columns aligned, a newline after each. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [
    titles,
    ...rows.map((row) => row.map((cell, column) => printable(cell) || (titles[column] === '' ? '' : '-'))),
  ]
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))))
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}

/** For machines: one document, and no byte that steers a terminal. The version of the wire is the hub's matter. */
export function asJson(value: Readonly<Record<string, unknown>>): string {
  const { v: _, ...rest } = value
  const text = JSON.stringify(rest, null, 2)
  return `${text.replaceAll(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, escaped)}\n`
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const

/** `3m ago`; null is `never`. */
export function ago(at: number | null, now = Date.now()): string {
  if (at === null) return 'never'
  const ms = Math.max(0, now - at)
  const unit = UNITS.find((one) => ms >= one.ms) ?? { name: 's', ms: 1_000 }
  return `${Math.floor(ms / unit.ms)}${unit.name} ago`
}

export function clockTime(at: number): string {
  return new Date(at).toISOString()
}

function widthOf(text: string): number {
  return Array.from(text).length
}
