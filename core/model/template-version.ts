import type { EpochMs } from './ids.ts'
import type { Template } from './template.ts'

/** When and by whom a version of the templates was put into force. Versions count from 1, and only rise. */
export interface TemplateVersionFacts {
  readonly version: number
  readonly storedAt: EpochMs
  readonly storedBy: string
}

/** What a fleet runs by from one change of its templates to the next. */
export interface TemplateVersion extends TemplateVersionFacts {
  /** The YAML as it was given. */
  readonly text: string
  /** What it expanded to when it was given: an upgrade of the hub never changes what was put into force. */
  readonly templates: readonly Template[]
}

/** How many versions are kept, the current one included: far more than anyone goes back. */
export const TEMPLATE_VERSIONS_KEPT = 100
