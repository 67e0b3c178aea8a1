/** What can keep an agent from taking runners. */
export type Hindrance = 'engine' | 'journal' | 'disk' | 'stopping'

/** Whether this host takes new runners, and if not, why. */
export interface Readiness {
  readonly accepting: boolean
  readonly notAcceptingReason: string | null
  /** Null: not hindered by this any more. */
  set(hindrance: Hindrance, reason: string | null): void
  hinderedBy(hindrance: Hindrance): boolean
}

export function createReadiness(
  initial: readonly (readonly [Hindrance, string])[],
  onChange: () => void,
): Readiness {
  const reasons = new Map<Hindrance, string>(initial)
  return {
    get accepting() {
      return reasons.size === 0
    },
    get notAcceptingReason() {
      return reasons.size === 0 ? null : [...reasons.values()].join(' ')
    },
    set(hindrance, reason) {
      if ((reasons.get(hindrance) ?? null) === reason) return
      if (reason === null) reasons.delete(hindrance)
      else reasons.set(hindrance, reason)
      onChange()
    },
    hinderedBy: (hindrance) => reasons.has(hindrance),
  }
}
