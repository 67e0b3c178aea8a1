import * as z from 'zod'

/** Parts of the functions' environments. The stacks must satisfy the very schemas that the handlers parse. */

export const Name = z.string().min(1)
export const HttpUrl = z.url({ protocol: /^https?$/ })

/** What names a build to others: two builds are the same exactly if their bundles and the loop's settings are. */
export const Build = z.string().min(1).max(100)

/** A demand source, without its secret: that one is read from the parameter named here. */
export const SourceEnv = z.strictObject({
  id: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/),
  kind: z.literal('shipfox'),
  apiUrl: HttpUrl,
  /** The API's address as containers reach it. */
  runnerApiUrl: HttpUrl,
  /** Name of the SecureString that holds the provisioner's token. */
  tokenParameter: z.string().regex(/^\/[\w./-]+$/),
})
export type SourceEnv = z.infer<typeof SourceEnv>

/** A JSON list in one variable. */
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
