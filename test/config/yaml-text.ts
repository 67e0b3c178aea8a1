import { ConfigError, type Issue, parseTemplates } from '../../config/index.ts'
import type { Template } from '../../core/model/index.ts'

/** A template that needs nothing else, as YAML on one line; `more` adds or replaces keys. */
export function templateYaml(more: Readonly<Record<string, string>> = {}): string {
  const keys = { labels: '[docker]', cpu: '1', memory: '2GiB', max_concurrency: '2', ...more }
  const pairs = Object.entries(keys).filter(([, value]) => value !== '')
  return `{ ${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')} }`
}

/** The one template that a file with `more` makes. */
export function oneTemplate(more: Readonly<Record<string, string>> = {}): Template {
  const { templates } = parseTemplates(`templates:\n  one: ${templateYaml(more)}\n`, 'templates.yaml')
  const [template] = templates
  if (template === undefined || templates.length !== 1) throw new Error(`made ${templates.length} templates`)
  return template
}

/** The issues that a file ends in; fails when it has none, or when anything else is thrown. */
export function issuesOf(text: string): readonly Issue[] {
  return configErrorOf(() => parseTemplates(text, 'templates.yaml')).issues
}

/** The only issue of a file with one template that has `more`. */
export function issueIn(more: Readonly<Record<string, string>>): Issue {
  const issues = issuesOf(`templates:\n  one: ${templateYaml(more)}\n`)
  const [only] = issues
  if (only === undefined || issues.length !== 1) throw new Error(`found ${JSON.stringify(issues)}`)
  return only
}

export function configErrorOf(action: () => unknown): ConfigError {
  try {
    action()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no ConfigError was thrown')
}

/** What an action throws; null when it throws nothing. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error
  }
}
