/** The longest delay of a Node timer, a little under 25 days. Node fires timers with a longer delay at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1
