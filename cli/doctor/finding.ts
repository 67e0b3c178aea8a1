/** What one look found. */
export interface Finding {
  /** One word of what was looked at; several findings may share it. */
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'FAIL'
  readonly text: string
  /** What a person can do; null = nothing has to be done. */
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
