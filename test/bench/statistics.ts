/** The two figures that the budgets speak of, in milliseconds unless a name says otherwise. */
export interface Spread {
  readonly p50: number
  readonly p95: number
}

/** The smallest value that at least this share of the values does not exceed. Throws for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (found === undefined) throw new Error('There is no percentile of nothing.')
  return found
}

export function spreadOf(values: readonly number[]): Spread {
  return { p50: round(percentile(values, 0.5)), p95: round(percentile(values, 0.95)) }
}

/** The median of each figure over several runs. */
export function medianSpread(runs: readonly Spread[]): Spread {
  return { p50: median(runs.map(({ p50 }) => p50)), p95: median(runs.map(({ p95 }) => p95)) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const half = sorted.length / 2
  const middle = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1)
  return round(mean(middle))
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Tenths of a millisecond say nothing here. */
export function round(ms: number): number {
  return Math.round(ms)
}

export function meanSpreadOf(values: readonly number[]): Spread & { readonly mean: number } {
  return { ...spreadOf(values), mean: round(mean(values)) }
}
