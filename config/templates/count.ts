import { SlipwayError, type Template } from '../../core/model/index.ts'

/** How many templates a provisioner may advertise to a server of each generation. */
export const TEMPLATES_MAX = { v1: 100, v2: 1000 } as const

/** Throws SlipwayError `templates-too-many` above `max`, because the source would refuse every poll. */
export function checkTemplateCount(templates: readonly Template[], max: number): void {
  if (templates.length <= max) return
  const remedy =
    max === TEMPLATES_MAX.v1 && templates.length <= TEMPLATES_MAX.v2 ? ', or use a v2 server' : ''
  throw new SlipwayError(
    'templates-too-many',
    `The templates file expands to ${templates.length} templates, but the source accepts at most ${max}. ` +
      `Remove templates or exclude combinations of the matrix${remedy}.`,
  )
}
