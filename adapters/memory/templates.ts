import { TEMPLATE_VERSIONS_KEPT, type TemplateVersion } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type State } from './state.ts'

type TemplateMethods = Pick<
  FleetStore,
  | 'readTemplatesVersion'
  | 'readTemplates'
  | 'getTemplateVersion'
  | 'listTemplateVersions'
  | 'putTemplateVersion'
>

export function templateMethods(state: State): TemplateMethods {
  const current = (): TemplateVersion | null => state.templates[0] ?? null

  return {
    async readTemplatesVersion() {
      return current()?.version ?? 0
    },

    async readTemplates() {
      return copy(current())
    },

    async getTemplateVersion(version) {
      return copy(state.templates.find((kept) => kept.version === version) ?? null)
    },

    async listTemplateVersions(limit) {
      return state.templates
        .slice(0, limit)
        .map(({ version, storedAt, storedBy }) => ({ version, storedAt, storedBy }))
    },

    async putTemplateVersion(given, after) {
      const version = { ...copy(given), version: after + 1 }
      const found = current()
      if ((found?.version ?? 0) !== after) return isRepeat(found, version)
      state.templates = [version, ...state.templates].slice(0, TEMPLATE_VERSIONS_KEPT)
      return true
    },
  }
}

function isRepeat(found: TemplateVersion | null, asked: TemplateVersion): boolean {
  return JSON.stringify(found) === JSON.stringify(asked)
}
