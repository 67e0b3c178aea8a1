import type { HostPart, RunnerEvents } from '../runner-events.ts'

/** What can keep an agent from taking runners. */
export type NotReadyCause = HostPart | 'stopping'

/** Whether this host takes new runners, and if not, why. */
export interface Readiness {
  readonly accepting: boolean
  readonly notAcceptingReason: string | null
  /** `reason` null: this cause is gone. */
  set(cause: NotReadyCause, reason: string | null): void
  isBlockedBy(cause: NotReadyCause): boolean
}

/** `initial`: causes that hold until their part has been checked. */
export function createReadiness(
  events: RunnerEvents,
  initial: Readonly<Partial<Record<NotReadyCause, string>>>,
): Readiness {
  const reasons = new Map<string, string>(Object.entries(initial))

  function set(cause: NotReadyCause, reason: string | null): void {
    if ((reasons.get(cause) ?? null) === reason) return
    if (reason === null) reasons.delete(cause)
    else reasons.set(cause, reason)
    events.publish({ kind: 'readiness-changed' })
  }

  events.subscribe('part-checked', ({ part, problem }) => set(part, problem))
  return {
    get accepting() {
      return reasons.size === 0
    },
    get notAcceptingReason() {
      return reasons.size === 0 ? null : [...reasons.values()].join(' ')
    },
    set,
    isBlockedBy: (cause) => reasons.has(cause),
  }
}
