import type Docker from 'dockerode'
import * as z from 'zod'
import { EngineError, type EngineFailureKind } from '../engine.ts'
import { ask } from './ask.ts'
import { engineTime } from './container-state.ts'
import { engineError, refusalOf } from './failure.ts'
import { readLines } from './lines.ts'

const Image = z.object({
  Id: z.string(),
  Metadata: z.object({ LastTagTime: z.string().nullish() }).nullish(),
})

const Progress = z.object({
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
})

/** How long a pull may go without a sign of progress: registries are slow, but the engine tells every second. */
export const PULL_STALL_MS = 180_000

/** Null: not present. `taggedAt` is when the engine last gave it a name, by a pull, a build or an import. */
export async function inspectImage(
  docker: Docker,
  image: string,
  signal: AbortSignal,
): Promise<{ id: string; taggedAt: number | null } | null> {
  try {
    const name = image.split('/').map(encodeURIComponent).join('/')
    const found = Image.parse(await ask(docker, { path: `/images/${name}/json` }, signal))
    return { id: found.Id, taggedAt: engineTime(found.Metadata?.LastTagTime ?? '') }
  } catch (thrown) {
    if (refusalOf(thrown)?.status === 404) return null
    throw thrown
  }
}

/**
 * Splits a reference as the engine's pull wants it. A digest wins over a tag; without either it is `latest`, since
 * the engine would otherwise pull every tag that there is.
 */
export function parseImage(image: string): { fromImage: string; tag: string } {
  const [name = image, digest] = image.split('@', 2)
  const colon = name.lastIndexOf(':')
  const tagged = colon > name.lastIndexOf('/')
  const fromImage = tagged ? name.slice(0, colon) : name
  return { fromImage, tag: digest ?? (tagged ? name.slice(colon + 1) : 'latest') }
}

/** Pulls anonymously and waits for the end. `onProgress` is called with every sign of life. */
export async function pullImage(
  docker: Docker,
  image: string,
  onProgress: () => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const stream = await docker.createImage({ ...parseImage(image), abortSignal: signal })
    await followPull(stream, image, onProgress)
  } catch (thrown) {
    throw pullError(image, thrown)
  }
}

/** Errors arrive within the stream, after a successful status. */
async function followPull(
  stream: AsyncIterable<unknown>,
  image: string,
  onProgress: () => void,
): Promise<void> {
  for await (const line of readLines(stream)) {
    onProgress()
    throwOnError(line, image)
  }
}

function throwOnError(line: string, image: string): void {
  const progress = Progress.parse(JSON.parse(line))
  const text = progress.errorDetail?.message ?? progress.error
  if (text !== undefined) throw new EngineError(kindOfPullFailure(text), pullMessage(image, text))
}

/** Classifies the text of a failed pull. Anything that is not certainly final may work later. */
export function kindOfPullFailure(text: string): EngineFailureKind {
  if (/toomanyrequests|too many requests|rate limit/i.test(text)) return 'registry-unavailable'
  if (/access denied|unauthorized|authentication required|no basic auth|forbidden|: denied/i.test(text)) {
    return 'refused'
  }
  if (
    /manifest unknown|manifest for .* not found|name unknown|repository .* not found|not found: manifest/i.test(
      text,
    )
  ) {
    return 'not-found'
  }
  if (
    /no matching manifest|no space left|invalid reference|unsupported (manifest|media)|filesystem layer verification|does not match digest/i.test(
      text,
    )
  ) {
    return 'refused'
  }
  return 'registry-unavailable'
}

function pullError(image: string, thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown
  const refusal = refusalOf(thrown)
  if (refusal === null) return engineError(`pull ${image}`, thrown)
  const kind = refusal.status === 400 ? 'refused' : kindOfPullFailure(refusal.text)
  return new EngineError(kind, pullMessage(image, refusal.text), { cause: thrown })
}

function pullMessage(image: string, text: string): string {
  return `Image ${image} could not be pulled: ${text.trim()}`
}
