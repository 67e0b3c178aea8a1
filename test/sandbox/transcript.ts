import { expect } from 'vitest'
import type { Bench } from './client.ts'

/**
 * One exchange of a golden transcript. Texts may hold `{{name}}`, replaced by what an earlier step captured. An
 * expected text may be `<kind>` or `<kind:name>`, which accepts any value of the kind and captures it.
 */
export type Step = {
  does: string
  /** Moves the clock: seconds since the start. */
  at?: number
  request: string
  /** Default: the provisioner's. */
  token?: string | null
  body?: unknown
  raw?: string
  headers?: Record<string, string>
  status: number
  answer?: unknown
}

export type Transcript = { tells: string; generations: readonly ('v1' | 'v2')[]; steps: readonly Step[] }

const KINDS: Record<string, RegExp> = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  registration: /^sf_ert_[\w-]{43}$/,
  bootstrap: /^sf_rbt_[\w-]{43}$/,
  control: /^sf_rcs_[\w-]{43}$/,
  activation: /^sf_rat_[\w-]{43}$/,
  session: /^sf_rs_[\w-]{43}$/,
  lease: /^sf_jl_[\w-]{43}$/,
  nonce: /^[0-9a-f]{24}$/,
  problem: /^\[(body|params|querystring)\] ./,
}

/** Plays the steps in order and holds every answer to what is written. */
export async function play(bench: Bench, steps: readonly Step[]): Promise<void> {
  const known: Record<string, string> = {}
  for (const step of steps) {
    if (step.at !== undefined) bench.clock.at = step.at
    const [method = '', path = ''] = filled(step.request, known).split(' ')
    const token = step.token === undefined || step.token === null ? step.token : filled(step.token, known)
    const answer = await bench.call(method, path, fill(step.body, known), {
      ...(token === undefined ? {} : { token }),
      ...(step.raw === undefined ? {} : { raw: step.raw }),
      ...(step.headers === undefined ? {} : { headers: step.headers }),
    })
    const body = capture(answer.body, step.answer, known)
    const { does, status } = step
    expect({ does, status: answer.status, body }).toEqual({ does, status, body: fill(step.answer, known) })
  }
}

const filled = (text: string, known: Record<string, string>): string =>
  text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => known[name] ?? `unknown capture ${name}`)

function fill(value: unknown, known: Record<string, string>): unknown {
  if (typeof value === 'string') return filled(value, known)
  if (Array.isArray(value)) return value.map((item) => fill(item, known))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, known)]))
}

/** The answer with every value that a placeholder accepts replaced by the placeholder itself. */
function capture(actual: unknown, expected: unknown, known: Record<string, string>): unknown {
  if (typeof expected === 'string' && typeof actual === 'string') {
    const [, kind, name] = /^<(\w+)(?::(\w+))?>$/.exec(expected) ?? []
    if (kind === undefined || !KINDS[kind]?.test(actual)) return actual
    if (name !== undefined) known[name] = actual
    return expected
  }
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.map((item, index) => capture(item, expected[index], known))
  }
  if (typeof actual !== 'object' || actual === null || typeof expected !== 'object' || expected === null)
    return actual
  const wanted = expected as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(actual).map(([key, item]) => [key, capture(item, wanted[key], known)]),
  )
}
