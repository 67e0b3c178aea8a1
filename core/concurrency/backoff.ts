import type { Randomness } from '../ports/clock.ts'

/** A pause before try number `failures` + 1: uniform between 0 and a bound that doubles (full jitter). */
export function fullJitterMs(
  failures: number,
  { firstMs, maxMs }: { firstMs: number; maxMs: number },
  random: Randomness,
): number {
  const boundMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(boundMs * random.unit())
}
