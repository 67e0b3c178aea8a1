import type { Clock } from '../../../core/ports/index.ts'
import { ask } from './ask.ts'
import { type EngineTls, localAddress, parseDockerHost } from './connection.ts'
import { withDeadline } from './deadline.ts'
import { engineError, refusalOf } from './failure.ts'
import { openSession } from './session.ts'

/** Access to registries through an engine. */
const LOOK_MAX_MS = 20_000

export interface RegistryLookOptions {
  /** As for the engine itself. */
  readonly dockerHost: string | null
  readonly tls: EngineTls | null
  readonly clock: Clock
}

/**
 * Whether an engine could pull an image, without pulling it: null = it could, otherwise why not. Throws EngineError
 * when the engine itself does not answer.
 */
export async function lookInRegistry(
  { dockerHost, tls, clock }: RegistryLookOptions,
  image: string,
): Promise<string | null> {
  const address = dockerHost === null ? localAddress() : parseDockerHost(dockerHost)
  const { docker } = await openSession({ address, tls, clock, callTimeoutMs: LOOK_MAX_MS })
  const name = image.split('/').map(encodeURIComponent).join('/')
  const call = { doing: `look for ${image}`, timeoutMs: LOOK_MAX_MS }
  try {
    await withDeadline(clock, call, (signal) => ask(docker, { path: `/distribution/${name}/json` }, signal))
    return null
  } catch (thrown) {
    const refusal = refusalOf(thrown)
    if (refusal === null) throw engineError(call.doing, thrown)
    return refusal.text.trim()
  }
}
