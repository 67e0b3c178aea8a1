import { SlipwayError } from './errors.ts'

/** How much a hub whose time is billed runs while nothing waits. */
export const MODES = ['auto', 'continuous', 'economy'] as const
export type Mode = (typeof MODES)[number]

/** Hours of the week, UTC, in which `auto` runs without pause. Days: 1 = Monday. A window may run past midnight. */
export interface BusyHours {
  readonly days: readonly [first: number, last: number]
  /** Minutes since midnight. */
  readonly from: number
  readonly to: number
}

/** `1-5 07:00-19:00`: a day or days of the week (1 = Monday) and hours, UTC; the last hour may be 24:00. */
export const BUSY_HOURS_PATTERN =
  /^([1-7])(?:-([1-7]))? ([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$/

/** Reads what `BUSY_HOURS_PATTERN` describes. Throws `busy-hours-invalid`. */
export function parseBusyHours(text: string): BusyHours {
  const found = BUSY_HOURS_PATTERN.exec(text)
  if (found === null)
    throw new SlipwayError(
      'busy-hours-invalid',
      `"${text}" is not days and hours such as "1-5 07:00-19:00" (1 = Monday, UTC).`,
    )
  const [, first, last, ...clock] = found
  const [fromHours = 0, fromMinutes = 0, toHours = 0, toMinutes = 0] = clock
    .filter((part) => part !== undefined)
    .map(Number)
  return {
    days: [Number(first), Number(last ?? first)],
    from: fromHours * 60 + fromMinutes,
    to: toHours * 60 + toMinutes,
  }
}
