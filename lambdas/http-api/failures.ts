import { ConfigError } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import type { ErrorAnswer } from '../../protocol/hub-api.ts'

/** Errors that the caller caused or can fix. Every other error is an internal one. */
export const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'body-invalid': 400,
  'query-invalid': 400,
  'id-invalid': 400,
  unauthorized: 403,
  'route-unknown': 404,
  'host-unknown': 404,
  'runner-unknown': 404,
  'version-unknown': 404,
  'host-exists': 409,
  'templates-changed': 409,
  'templates-fixed': 409,
  'templates-none': 409,
  'body-too-large': 413,
  'store-item-too-large': 413,
  'config-invalid': 422,
  'templates-too-many': 422,
}

/** Null = an internal error: the caller rethrows it, so that the function fails and the alarm is raised. */
export function failureAnswer(thrown: unknown): { status: number; answer: ErrorAnswer } | null {
  if (!(thrown instanceof SlipwayError)) return null
  const status = STATUS_BY_CODE[thrown.code]
  if (status === undefined) return null
  const { code, message } = thrown
  const issues = thrown instanceof ConfigError ? { mistakes: [...thrown.issues] } : {}
  return { status, answer: { code, message, ...issues } }
}
