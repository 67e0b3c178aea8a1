import * as z from 'zod'
import { messageOf } from '../../../core/model/index.ts'
import { EngineError, type EngineFailureKind } from '../engine.ts'

/** What dockerode throws for an answer that is not a success, as far as we read it. */
const Refusal = z.object({
  statusCode: z.number(),
  json: z.object({ message: z.string() }).optional().catch(undefined),
})
const SystemError = z.object({ code: z.string() })

/** Errors before a connection was established: the call certainly had no effect. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'EPERM',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** The engine answered, but a component behind it (containerd, its own shutdown) did not answer in time. */
const ENGINE_IN_TROUBLE =
  /context (deadline exceeded|canceled)|transport is closing|ttrpc|containerd.*(refused|unavailable|not running)|shutting down|timed? ?out/i

/** The status and text of a refusal by the engine; null when there was no answer at all. */
export function refusalOf(thrown: unknown): { status: number; text: string } | null {
  const refusal = Refusal.safeParse(thrown)
  if (!refusal.success) return null
  return { status: refusal.data.statusCode, text: refusal.data.json?.message ?? messageOf(thrown) }
}

/** True if the call certainly had no effect: refused by the engine, or never sent. */
export function surelyNotDone(thrown: unknown): boolean {
  if (thrown instanceof EngineError && thrown.cause !== undefined) return surelyNotDone(thrown.cause)
  const refusal = refusalOf(thrown)
  if (refusal !== null) return kindOfRefusal(refusal.status, refusal.text) !== 'unreachable'
  const system = SystemError.safeParse(thrown)
  return system.success && NEVER_CONNECTED.has(system.data.code)
}

/** What an answer of the engine means. A 404 can also speak of a network: only a container or an image is "not found". */
export function kindOfRefusal(status: number, text: string): EngineFailureKind {
  if (status === 404) return /no such (container|image)/i.test(text) ? 'not-found' : 'refused'
  if (status === 409) return /already in use/i.test(text) ? 'conflict' : 'refused'
  if (status === 503) return 'unreachable'
  if (status >= 500) return ENGINE_IN_TROUBLE.test(text) ? 'unreachable' : 'refused'
  return 'refused'
}

/** Converts whatever a call threw to an EngineError. `doing` says what was tried: "start runner x". */
export function engineError(doing: string, thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown
  const refusal = refusalOf(thrown)
  if (refusal !== null) {
    const kind = kindOfRefusal(refusal.status, refusal.text)
    return new EngineError(kind, `Docker could not ${doing}: ${refusal.text.trim()}`, { cause: thrown })
  }
  const message = `Docker did not answer (${doing}): ${messageOf(thrown)}.${adviceFor(thrown)}`
  return new EngineError('unreachable', message, { cause: thrown })
}

function adviceFor(thrown: unknown): string {
  const system = SystemError.safeParse(thrown)
  if (!system.success) return ''
  const { code } = system.data
  if (code === 'EACCES' || code === 'EPERM') return ' Let this user use the socket, or run the agent as root.'
  return NEVER_CONNECTED.has(code) ? ' Is Docker running, and is its address right?' : ''
}

/** Null instead of an error for statuses that mean that there was nothing to do. */
export async function tolerating<T>(statuses: readonly number[], answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (thrown) {
    const refusal = refusalOf(thrown)
    if (refusal !== null && statuses.includes(refusal.status)) return null
    throw thrown
  }
}
