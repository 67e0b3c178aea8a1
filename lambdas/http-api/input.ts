import type * as z from 'zod'
import { SlipwayError } from '../../core/model/index.ts'
import { type HttpApiEvent, readBody } from './event.ts'

/** The validated body of a request. Throws `body-too-large` and `body-invalid`. */
export function bodyOf<T>(shape: z.ZodType<T>, event: HttpApiEvent): T {
  return checked(shape, readBody(event), 'body-invalid', 'The request body')
}

/** The validated query of a request. Throws `query-invalid`. */
export function queryOf<T>(shape: z.ZodType<T>, { rawQueryString }: HttpApiEvent): T {
  return checked(shape, Object.fromEntries(new URLSearchParams(rawQueryString)), 'query-invalid', 'The query')
}

/** The message has the paths of the problems, without the values. */
function checked<T>(shape: z.ZodType<T>, value: unknown, code: string, what: string): T {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'value'}: ${message}`)
  throw new SlipwayError(code, `${what} is invalid: ${issues.join('; ')}.`)
}
