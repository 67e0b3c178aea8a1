import type { BusyHours, EpochMs, Mode } from '../model/index.ts'
import { WORK_MEMORY_MS } from './demand/poll-pace.ts'

export interface RunModeRule {
  readonly mode: Mode
  /** Null = none. */
  readonly busyHours: BusyHours | null
}

/** The next job of a pipeline comes within seconds of the last one's end. */
const ECONOMY_MEMORY_MS = 60_000
const DAY_MINUTES = 24 * 60
const MINUTE_MS = 60_000

/** Whether the planner keeps running although no runner lives and no job waits, because a job is likely soon. */
export function staysInQuiet(rule: RunModeRule, lastWorkAt: EpochMs, now: EpochMs): boolean {
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
