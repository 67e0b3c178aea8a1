import { SlipwayError, type Template, type TemplateVersion } from '../../model/index.ts'
import type { TemplateStore } from '../../ports/index.ts'
import type { AdminPorts } from './ports.ts'

type ApplyPorts = Pick<AdminPorts, 'clock' | 'log'> & {
  readonly store: Pick<TemplateStore, 'putTemplateVersion' | 'readTemplates'>
}

export interface TemplatesChange {
  /** Who made the request, as the API authenticated them. */
  readonly by: string
  /** The version that was current when the change was made; 0 = none. */
  readonly basedOn: number
}

/**
 * Puts templates into force, as a new version, and resolves with its number. Throws `templates-changed` when `basedOn`
 * is not current any more.
 */
export async function applyTemplates(
  ports: ApplyPorts,
  given: { readonly text: string; readonly templates: readonly Template[] },
  { by, basedOn }: TemplatesChange,
): Promise<number> {
  const version = basedOn + 1
  const storedAt = ports.clock.now()
  const stored = await ports.store.putTemplateVersion({ ...given, version, storedAt, storedBy: by }, basedOn)
  if (!stored) throw changed(await ports.store.readTemplates(), basedOn)
  ports.log.emit({ name: 'audit.templates-stored', by, version, templates: given.templates.length })
  return version
}

/**
 * The version that an undo brings back: the one before the current, or the one named. Throws `templates-none` where
 * there is nothing to undo, and `version-unknown`.
 */
export async function findUndone(
  store: Pick<TemplateStore, 'readTemplatesVersion' | 'getTemplateVersion'>,
  to: number | null,
): Promise<TemplateVersion> {
  const current = await store.readTemplatesVersion()
  const wanted = to ?? current - 1
  if (wanted < 1)
    throw new SlipwayError(
      'templates-none',
      current === 0
        ? 'No templates were ever stored: there is nothing to undo.'
        : 'Version 1 of the templates is in force, and no version precedes it. Apply another file instead.',
    )
  const found = await store.getTemplateVersion(wanted)
  if (found !== null) return found
  throw new SlipwayError(
    'version-unknown',
    `Version ${wanted} of the templates does not exist or is no longer kept; the current one is ${current}. ` +
      '`slipway templates list` shows the versions that are kept.',
  )
}

/** Puts an earlier version back into force, as a new version with the same content; resolves with its number. */
export async function undoTemplates(
  ports: ApplyPorts,
  undone: TemplateVersion,
  change: TemplatesChange,
): Promise<number> {
  const { text, templates } = undone
  return applyTemplates(ports, { text, templates }, change)
}

function changed(current: TemplateVersion | null, basedOn: number): SlipwayError {
  const now =
    current === null
      ? 'none is stored'
      : `${current.storedBy} stored version ${current.version} at ${new Date(current.storedAt).toISOString()}`
  return new SlipwayError(
    'templates-changed',
    `The change was based on version ${basedOn} of the templates, but meanwhile ${now}. Check the difference again.`,
  )
}
