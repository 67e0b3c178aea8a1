import type { TemplateVersion, TemplateVersionFacts } from '../model/index.ts'

/** The versions of the templates file that were applied. */
export interface TemplateStore {
  /** The current version, whole (null) or its number (0) = none was ever stored. The number is a cheap read. */
  readTemplates(): Promise<TemplateVersion | null>
  readTemplatesVersion(): Promise<number>
  /** Null: never there, or no longer kept. */
  getTemplateVersion(version: number): Promise<TemplateVersion | null>
  /** Newest first, up to `limit`. */
  listTemplateVersions(limit: number): Promise<readonly TemplateVersionFacts[]>
  /** Makes it the current version, number `after + 1`. False: the current one isn't `after` any more (0 = none yet). */
  putTemplateVersion(version: TemplateVersion, after: number): Promise<boolean>
}
