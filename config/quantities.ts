import { TIMER_MAX_MS } from '../core/model/index.ts'

/** The result of parsing one text: the value, or what is wrong with the text and what was expected. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly expected: string }

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function refused(message: string, expected: string): Parsed<never> {
  return { ok: false, message, expected }
}

export const TIMER_MAX_SECONDS = Math.floor(TIMER_MAX_MS / 1000)

/** Docker refuses a smaller memory limit. */
const MEMORY_MIN_MIB = 6
/** 64 TiB: more than any machine has, and small enough that sums over all runners stay exact. */
const MEMORY_MAX_MIB = 64 * 1024 * 1024

const MEMORY = /^(\d+(?:\.\d+)?) ?(?:([kmgt])i?b?|(b))?$/i
const MEMORY_EXPECTED = `an amount such as 512MiB, 2GiB or 4g, from ${MEMORY_MIN_MIB}MiB to 64TiB`
const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/**
 * Parses `2GiB`, `2g`, `2GB`, `2048m`, … to whole MiB, rounded down. As with `docker run --memory`, every unit
 * is a power of two (`1GB` is 1024 MiB), case doesn't matter, and a number without a unit is bytes.
 */
export function parseMemoryMib(text: string): Parsed<number> {
  const match = MEMORY.exec(text)
  if (match === null) return refused('is not an amount of memory', MEMORY_EXPECTED)
  const unit = (match[2] ?? match[3])?.toLowerCase()
  const mib = Math.floor((Number(match[1]) * (UNIT_BYTES[unit ?? 'b'] ?? 1)) / 2 ** 20)
  if (mib < MEMORY_MIN_MIB && unit === undefined) {
    return refused('has no unit, so it counts as bytes, which is too little', MEMORY_EXPECTED)
  }
  if (mib < MEMORY_MIN_MIB) return refused('is less than Docker allows', MEMORY_EXPECTED)
  if (mib > MEMORY_MAX_MIB) return refused('is more than any machine has', MEMORY_EXPECTED)
  return parsed(mib)
}

/** Docker refuses less than a hundredth of a vCPU. */
const CPU_MIN_MILLIS = 10
/** More than any machine has, and small enough that sums over all runners stay exact. */
const CPU_MAX = 4096
const CPU_EXPECTED = `a number of vCPUs from 0.01 to ${CPU_MAX} with at most 3 decimals`

/** vCPUs to thousandths of a vCPU. */
export function parseCpuMillis(cpus: number): Parsed<number> {
  const millis = Math.round(cpus * 1000)
  if (!(millis >= CPU_MIN_MILLIS && cpus <= CPU_MAX)) return refused('is out of range', CPU_EXPECTED)
  if (millis / 1000 !== cpus) return refused('has more than 3 decimals', CPU_EXPECTED)
  return parsed(millis)
}

const DURATION = /^(\d{1,10})([smhd])$/
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Parses `30s`, `10m`, `24h`, `7d` to milliseconds, from `minMs` to `maxMs`. */
export function parseDurationMs(text: string, minMs: number, maxMs: number): Parsed<number> {
  const expected = `a time such as 30s, 10m or 24h, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`
  const match = DURATION.exec(text)
  if (match === null) return refused('is not a time', expected)
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN)
  return ms >= minMs && ms <= maxMs ? parsed(ms) : refused('is out of range', expected)
}

/** In the largest unit that gives a whole number; fractions of a second are dropped. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const fits = (['d', 'h', 'm'] as const).find((unit) => (seconds * 1000) % (UNIT_MS[unit] ?? 1) === 0)
  return fits === undefined || seconds === 0
    ? `${seconds}s`
    : `${(seconds * 1000) / (UNIT_MS[fits] ?? 1)}${fits}`
}

export function formatMemory(mib: number): string {
  return mib % 1024 === 0 ? `${mib / 1024}GiB` : `${mib}MiB`
}
