import * as z from 'zod'
import { NAME_PATTERN } from '../core/model/ids.ts'

/** Parts of the functions' environments. The handlers parse these schemas, and the stacks must satisfy the same ones. */

export const Name = z.string().min(1)
export const HttpUrl = z.url({ protocol: /^https?$/ })

/** The name of a build: equal exactly if the bundles and the loop's settings are equal. */
export const Build = z.string().min(1).max(100)

/** A demand source without its token, which is read from the parameter `tokenParameter`. */
export const SourceEnv = z.strictObject({
  id: z.string().regex(NAME_PATTERN),
  kind: z.literal('shipfox'),
  apiUrl: HttpUrl,
  /** The API's address as containers reach it. */
  runnerApiUrl: HttpUrl,
  /** Name of the SecureString with the provisioner token. */
  tokenParameter: z.string().regex(/^\/[\w./-]+$/),
})
export type SourceEnv = z.infer<typeof SourceEnv>

/** The sources as a JSON list in one variable. */
export const Sources = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'expected a JSON list of sources' })
      return z.NEVER
    }
  })
  .pipe(z.array(SourceEnv))
