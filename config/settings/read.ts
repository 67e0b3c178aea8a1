import { ConfigError, type Hint, type Issue, issueAt } from '../issues.ts'
import { nearestName } from '../nearest.ts'
import { type Setting, SETTINGS_HELP } from './table.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Reads an environment and collects every issue found in it, so that all are reported together. */
export class EnvReader {
  readonly #env: Env
  readonly #issues: Issue[] = []

  constructor(env: Env) {
    this.#env = env
  }

  /** The value of a variable, or its fallback when it is unset or invalid. */
  read<T>(setting: Setting<T>): T {
    const text = this.#text(setting)
    if (text === null) return setting.fallback
    const result = setting.kind(text)
    if (result.ok) return result.value
    this.add(setting, result.message, { expected: result.expected })
    return setting.fallback
  }

  /** Like `read`, but an unset variable is an issue as well; null when there is an issue. */
  require<T>(setting: Setting<T | null>, expected: string): T | null {
    if (this.isSet(setting)) return this.read(setting)
    this.add(setting, 'is not set', { expected })
    return null
  }

  isSet(setting: Setting<unknown>): boolean {
    return this.#text(setting) !== null
  }

  /** Keeps one issue for each variable, so that a variable read twice is reported once. */
  add({ name }: Setting<unknown>, message: string, hint: Hint): void {
    const where = { file: 'environment', line: null, column: null, path: name }
    if (this.#issues.some(({ path }) => path === name)) return
    this.#issues.push(issueAt(where, message, hint))
  }

  issues(): readonly Issue[] {
    return this.#issues
  }

  throwIfAny(): void {
    if (this.#issues.length > 0) throw new ConfigError(this.#issues)
  }

  /** Trimmed, because files and forms add spaces around a value; an empty value counts as unset. */
  #text({ name }: Setting<unknown>): string | null {
    const text = this.#env[name]?.trim() ?? ''
    return text === '' ? null : text
  }
}

const OWN = /^(?:SHIPFOX_PROVISIONER_|SHIPFOX_RUNNER_|SLIPWAY_)/

/** One sentence for each set variable that has a prefix of ours and is unknown. Values are never shown. */
export function unknownVariables(env: Env): readonly string[] {
  const known = SETTINGS_HELP.map(({ name }) => name)
  const unknown = Object.keys(env).filter((name) => OWN.test(name) && !known.includes(name))
  return unknown
    .filter((name) => (env[name] ?? '') !== '')
    .toSorted()
    .map((name) => {
      const nearest = nearestName(name, known)
      const meant = nearest === null ? '' : ` (did you mean ${nearest}?)`
      return `${name} is not a variable that Slipway knows: it is ignored${meant}.`
    })
}
