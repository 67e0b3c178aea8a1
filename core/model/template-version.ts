import type { EpochMs } from './ids.ts'
import type { Template } from './template.ts'

/** When and by whom a version of the templates was put into force. Versions count from 1, and only rise. */
export interface TemplateVersionFacts {
  readonly version: number
  readonly storedAt: EpochMs
  readonly storedBy: string
}

/** The templates that are in force until the next change. */
export interface TemplateVersion extends TemplateVersionFacts {
  /** The YAML as it was given. */
  readonly text: string
  /** What it expanded to when it was given: an upgrade of the hub never changes what was put into force. */
  readonly templates: readonly Template[]
}

/** How many versions are kept, the current one included: far more than anyone goes back. */
export const TEMPLATE_VERSIONS_KEPT = 100
