import { type EpochMs, SlipwayError } from '../model/index.ts'
import { WORK_MEMORY_MS } from './demand/poll-pace.ts'

/** How much a hub whose time is billed runs while nothing waits. */
export type Mode = 'auto' | 'continuous' | 'economy'

/** Hours of the week, UTC, in which `auto` runs without pause. Days: 1 = Monday. A window may run past midnight. */
export interface BusyHours {
  readonly days: readonly [first: number, last: number]
  /** Minutes since midnight. */
  readonly from: number
  readonly to: number
}

export interface PresenceRule {
  readonly mode: Mode
  /** Null = none. */
  readonly busyHours: BusyHours | null
}

/** The next job of a pipeline comes within seconds of the last one's end. */
const ECONOMY_MEMORY_MS = 60_000
const DAY_MINUTES = 24 * 60
const MINUTE_MS = 60_000
const BUSY_HOURS = /^([1-7])(?:-([1-7]))? (\d\d):(\d\d)-(\d\d):(\d\d)$/

/** `1-5 07:00-19:00`. Throws `busy-hours-invalid`. */
export function parseBusyHours(text: string): BusyHours {
  const found = BUSY_HOURS.exec(text)
  if (found === null)
    throw new SlipwayError(
      'busy-hours-invalid',
      `"${text}" is not days and hours such as "1-5 07:00-19:00" (1 = Monday, UTC).`,
    )
  const [, first, last, ...clock] = found
  const [fromHours = 0, fromMinutes = 0, toHours = 0, toMinutes = 0] = clock.map(Number)
  return {
    days: [Number(first), Number(last ?? first)],
    from: fromHours * 60 + fromMinutes,
    to: toHours * 60 + toMinutes,
  }
}

/** Whether the hub stays although nothing lives and nothing waits: a job is likely soon, so its pick-up matters. */
export function staysInQuiet(rule: PresenceRule, lastWorkAt: EpochMs, now: EpochMs): boolean {
  switch (rule.mode) {
    case 'continuous':
      return true
    case 'auto':
      return now - lastWorkAt < WORK_MEMORY_MS || (rule.busyHours !== null && isWithin(rule.busyHours, now))
    case 'economy':
      return now - lastWorkAt < ECONOMY_MEMORY_MS
  }
}

/** A window that runs past midnight belongs to the day on which it began. */
export function isWithin({ days: [first, last], from, to }: BusyHours, now: EpochMs): boolean {
  const date = new Date(now)
  const minute = Math.floor(now / MINUTE_MS) % DAY_MINUTES
  const today = date.getUTCDay() === 0 ? 7 : date.getUTCDay()
  const yesterday = today === 1 ? 7 : today - 1
  const isDay = (day: number): boolean =>
    first <= last ? day >= first && day <= last : day >= first || day <= last
  if (from < to) return isDay(today) && minute >= from && minute < to
  return (isDay(today) && minute >= from) || (isDay(yesterday) && minute < to)
}
