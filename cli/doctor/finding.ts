/** The result of one check. */
export interface Finding {
  /** What was checked, in one word; several findings may share it. */
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'FAIL'
  readonly text: string
  /** How to fix it; null = nothing to do. */
  readonly todo: string | null
}

export function ok(check: string, text: string): Finding {
  return { check, verdict: 'ok', text, todo: null }
}

export function warn(check: string, text: string, todo: string): Finding {
  return { check, verdict: 'warn', text, todo }
}

export function fail(check: string, text: string, todo: string): Finding {
  return { check, verdict: 'FAIL', text, todo }
}
