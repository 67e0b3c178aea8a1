export { ConfigError, formatIssue, type Issue } from './issues.ts'
export { provisionerToken } from './settings/kinds.ts'
export { type Env } from './settings/read.ts'
export {
  type AgentSettings,
  type DockerSettings,
  type HostSettings,
  LOCAL_DOCKER_SOCKET,
  parseAgentSettings,
  parseSettings,
  type Protocol,
  type Settings,
  type SettingsOptions,
  type SourceSettings,
} from './settings/settings.ts'
export { type SettingHelp, SETTINGS_HELP } from './settings/table.ts'
export { checkTemplateCount, TEMPLATES_MAX } from './templates/count.ts'
export { describeDifference } from './templates/difference.ts'
export { type ParsedTemplates, parseTemplates } from './templates/parse.ts'
export { renderTemplates, templatesAsJson } from './templates/render.ts'
export { DEFAULT_RUNNER_IMAGE, type TemplateDefaults } from './templates/template.ts'
