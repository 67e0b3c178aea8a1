import {
  checkTemplateCount,
  describeDifference,
  formatIssue,
  parseTemplates,
  TEMPLATES_MAX,
} from '../../config/index.ts'
import { applyTemplates, findUndone, undoTemplates } from '../../core/flows/admin/index.ts'
import { isItemCorrupt, SlipwayError, type Template, type TemplateVersion } from '../../core/model/index.ts'
import {
  ApplyRequest,
  ChangeAnswer,
  HUB_API_VERSION as v,
  TemplatesAnswer,
  TemplateVersionsAnswer,
  UndoRequest,
} from '../../protocol/hub-api.ts'
import { bodyOf } from './input.ts'
import type { Answered, HttpApiParts, Run } from './parts.ts'

/** Equal to the number of versions that are kept. */
const VERSIONS_LISTED_MAX = 100

interface InForce extends Omit<TemplateVersion, 'storedAt' | 'storedBy' | 'text'> {
  readonly storedAt: number | null
  readonly storedBy: string | null
  readonly text: string | null
}

const NONE: InForce = { version: 0, storedAt: null, storedBy: null, text: null, templates: [] }

export async function templatesInForce({ store, fixedTemplates }: HttpApiParts): Promise<InForce> {
  if (fixedTemplates !== null) {
    const { text, templates } = fixedTemplates
    return { ...NONE, text, templates }
  }
  return (await store.readTemplates()) ?? NONE
}

/** Like `templatesInForce`, but if the stored version is corrupt, only its number: applying new templates fixes it. */
async function replaceable(parts: HttpApiParts): Promise<InForce> {
  try {
    return await templatesInForce(parts)
  } catch (thrown) {
    if (!isItemCorrupt(thrown)) throw thrown
    return { ...NONE, version: await parts.store.readTemplatesVersion() }
  }
}

export const showTemplatesRoute: Run = async (parts) => {
  const fixedBy = parts.fixedTemplates?.from ?? null
  return { status: 200, value: TemplatesAnswer.parse({ v, ...(await templatesInForce(parts)), fixedBy }) }
}

export const listVersionsRoute: Run = async ({ store }) => {
  const versions = await store.listTemplateVersions(VERSIONS_LISTED_MAX)
  return { status: 200, value: TemplateVersionsAnswer.parse({ v, versions }) }
}

export const applyRoute: Run = async (parts, { by, event }) => {
  const { text, file, basedOn } = bodyOf(ApplyRequest, event)
  assertChangeable(parts)
  const { templates, warnings } = parseTemplates(text, file, parts.templateDefaults)
  checkTemplateCount(templates, TEMPLATES_MAX.v2)
  const current = await replaceable(parts)
  const change = { current, templates, warnings: warnings.map(formatIssue) }
  if (basedOn === null) return changed(change, current.version, false)
  return changed(change, await applyTemplates(parts, { text, templates }, { by, basedOn }), true)
}

export const undoRoute: Run = async (parts, { by, event }) => {
  const { to, basedOn } = bodyOf(UndoRequest, event)
  assertChangeable(parts)
  const current = await replaceable(parts)
  const undone = await findUndone(parts.store, to)
  const change = { current, templates: undone.templates, warnings: [] }
  if (basedOn === null) return changed(change, current.version, false)
  return changed(change, await undoTemplates(parts, undone, { by, basedOn }), true)
}

interface Change {
  readonly current: InForce
  readonly templates: readonly Template[]
  readonly warnings: readonly string[]
}

function changed({ current, templates, warnings }: Change, version: number, stored: boolean): Answered {
  const difference = describeDifference(current.templates, templates)
  const answer = { v, version, stored, difference, warnings, templates: templates.length }
  return { status: 200, value: ChangeAnswer.parse(answer) }
}

function assertChangeable({ fixedTemplates }: HttpApiParts): void {
  if (fixedTemplates === null) return
  throw new SlipwayError(
    'templates-fixed',
    `The templates of this hub can't be changed here: they come from ${fixedTemplates.from}.`,
  )
}
