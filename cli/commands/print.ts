import { escapeUnprintable, toPrintableLine } from '../../core/model/index.ts'

/** Removes control characters: texts of jobs and hosts must not control the terminal (X9). */
export function printable(text: string): string {
  return toPrintableLine(text).trim()
}

/** Like `printable`, for each line. */
export function printableLines(text: string): readonly string[] {
  return text.split(/\r?\n/).map(printable)
}

/** A line of titles and the rows, with aligned columns; each line ends with a newline. */
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

/** One indented JSON document without terminal control characters. Drops `v`, the version of the hub's API. */
export function asJson(value: Readonly<Record<string, unknown>>): string {
  const { v: _, ...rest } = value
  const lines = JSON.stringify(rest, null, 2).split('\n')
  return `${lines.map(escapeUnprintable).join('\n')}\n`
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
