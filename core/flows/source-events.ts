import type { LogEventOf, Refusal } from '../model/index.ts'
import { formatRefusal } from '../plan/index.ts'

type RefusalFields = Omit<LogEventOf<'demand.refused'>, 'name'>

/** A refusal as an event's fields. */
export function refusalFields(refusal: Refusal): RefusalFields {
  const { source, labels, count, reason: details } = refusal
  return { source, labels, count, code: details.code, reason: formatRefusal(refusal), details }
}
