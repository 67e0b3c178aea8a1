import type { Engine } from '../../agent/engines/engine.ts'
import { messageOf, SlipwayError, type Template } from '../../core/model/index.ts'

/** A first pull of a runner image of some GB over a slow line; longer means that it is stuck. */
const PULL_MAX_MS = 30 * 60_000

/**
 * Makes sure that the images of these templates are on this machine, before the first job is claimed. Throws
 * `image-unavailable` for the first one that can't be had.
 */
export async function requireImages(
  engine: Engine,
  templates: readonly Template[],
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const first = new Map(templates.toReversed().map((template) => [template.image, template]))
  for (const [image, template] of first) {
    if ((await engine.image(image)) !== null) continue
    say(`pulling image ${image} of template ${template.key}`)
    try {
      await engine.pull(image, AbortSignal.any([signal, AbortSignal.timeout(PULL_MAX_MS)]))
    } catch (cause) {
      const what = `Image "${image}" of template ${template.key} is not on this machine and can't be pulled: ${messageOf(cause)}. Build or pull it by hand, or correct the template's image.`
      throw new SlipwayError('image-unavailable', what, { cause })
    }
  }
}
