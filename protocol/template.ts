import * as z from 'zod'
import { ISOLATIONS, messageOf, sourceId, type Template, templateKey } from '../core/model/index.ts'

const Whole = z.int().min(0)

function id<T>(make: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return make(text)
    } catch (cause) {
      context.addIssue({ code: 'custom', message: messageOf(cause) })
      return z.NEVER
    }
  })
}

/** A template as it is stored and as the API returns it: the core's type as JSON. Unknown fields are dropped. */
export const TemplateSchema = z.object({
  key: id(templateKey),
  labels: z.array(z.string()),
  image: z.string(),
  pull: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('if-not-present') }),
    z.object({ kind: z.literal('always') }),
    z.object({ kind: z.literal('ttl'), ttlMs: Whole }),
  ]),
  size: z.object({ cpuMillis: Whole, memoryMib: Whole }),
  maxConcurrency: Whole,
  targetConcurrency: Whole,
  cost: z.number(),
  isolation: z.enum(ISOLATIONS),
  hosts: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('local') }),
    z.object({ kind: z.literal('all') }),
    z.object({ kind: z.literal('named'), namesOrTags: z.array(z.string()) }),
  ]),
  perHost: Whole.nullable(),
  env: z.record(z.string(), z.string()),
  maxLifetimeMs: Whole,
  stopTimeoutMs: Whole,
  sources: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('all') }),
    z.object({ kind: z.literal('named'), ids: z.array(id(sourceId)) }),
  ]),
}) satisfies z.ZodType<Template>
