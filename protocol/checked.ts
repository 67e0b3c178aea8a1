import * as z from 'zod'
import { messageOf } from '../core/model/index.ts'

/** What one of the core's checkers has to accept, and makes an id of; what was given is never repeated. */
export function checked<Raw, T>(raw: z.ZodType<Raw>, make: (value: Raw) => T) {
  return raw.transform((value, context): T => {
    try {
      return make(value)
    } catch (cause) {
      const expected = messageOf(cause).split('expected ').at(-1) ?? 'another form'
      context.addIssue({ code: 'custom', message: `expected ${expected.replace(/\.$/, '')}` })
      return z.NEVER
    }
  })
}
