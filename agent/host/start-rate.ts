/** How fast this host starts containers while it has any to start. */
export interface StartRate {
  began(nowMs: number): void
  ended(nowMs: number, started: boolean): void
  /** Null until there were enough starts for a rate. */
  perMinute(): number | null
}

/** Fewer starts than this give no reliable rate. */
const STARTS_MIN = 5
/** After this much busy time, older starts count half, so that the rate follows changes of the host. */
const HALVE_AFTER_BUSY_MS = 60_000

export function createStartRate(): StartRate {
  let atWork = 0
  let busySinceMs = 0
  let busyMs = 0
  let starts = 0
  return {
    began(nowMs) {
      if (atWork === 0) busySinceMs = nowMs
      atWork += 1
    },
    ended(nowMs, started) {
      atWork -= 1
      busyMs += nowMs - busySinceMs
      busySinceMs = nowMs
      if (started) starts += 1
      if (busyMs <= HALVE_AFTER_BUSY_MS) return
      busyMs /= 2
      starts /= 2
    },
    perMinute: () => (starts < STARTS_MIN || busyMs <= 0 ? null : Math.round((starts * 60_000) / busyMs)),
  }
}

/** Whether the start rate changed by more than half: the hub limits its requests by it and should know soon. */
export function isRateChange(reported: number | null, rate: number | null): boolean {
  return rate !== null && (reported === null || Math.abs(rate - reported) > reported / 2)
}
