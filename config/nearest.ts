/**
 * The known name closest to `name`, or null when none is close. Case, `-` and `_` are ignored, so `maxConcurrency`
 * finds `max_concurrency`; beyond that, up to a third of the longer name may differ.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const wanted = flatten(name)
  let best: { name: string; distance: number } | null = null
  for (const candidate of known) {
    const flat = flatten(candidate)
    const distance = isStart(wanted, flat) ? 1 : editDistance(wanted, flat)
    const allowed = Math.floor(Math.max(wanted.length, flat.length) / 3)
    if (distance <= allowed && (best === null || distance < best.distance))
      best = { name: candidate, distance }
  }
  return best?.name ?? null
}

/** Of longer names only this many characters are compared: the cost is quadratic. */
const COMPARED_CHARACTERS = 100

function flatten(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '').slice(0, COMPARED_CHARACTERS)
}

/** `mem` matches `memory`: one is a prefix of the other, at least three letters long. */
function isStart(left: string, right: string): boolean {
  return Math.min(left.length, right.length) >= 3 && (left.startsWith(right) || right.startsWith(left))
}

/** Damerau-Levenshtein distance: insertions, deletions, replacements and swaps of adjacent characters. */
export function editDistance(left: string, right: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1]
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return at(last, right.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
