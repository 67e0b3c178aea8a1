import type { Engine } from '../../agent/engines/engine.ts'
import { PULL_MAX_MS } from '../../agent/host/images.ts'
import { messageOf, SlipwayError, type Template } from '../../core/model/index.ts'

/**
 * Pulls the missing images of these templates, before the first job is claimed. Throws `image-unavailable` for the
 * first image that can't be pulled.
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
      const what = `Image "${image}" of template ${template.key} is not on this machine and cannot be pulled: ${messageOf(cause)}. Build or pull it, or correct the image in the template.`
      throw new SlipwayError('image-unavailable', what, { cause })
    }
  }
}
