import { ConfigError, type Hint, type Mistake, mistake } from '../mistakes.ts'
import { nearestName } from '../nearest.ts'
import { type Setting, SETTINGS_HELP } from './table.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** An environment under reading: every mistake found in it is collected, so that all are told at once. */
export class EnvReader {
  readonly #env: Env
  readonly #mistakes: Mistake[] = []

  constructor(env: Env) {
    this.#env = env
  }

  /** The value of a variable, or its fallback when it is unset or wrong. */
  read<T>(setting: Setting<T>): T {
    const text = this.#text(setting)
    if (text === null) return setting.fallback
    const result = setting.kind(text)
    if (result.ok) return result.value
    this.add(setting, result.message, { expected: result.expected })
    return setting.fallback
  }

  /** As `read`, but unset is a mistake too; null whenever there is one. */
  require<T>(setting: Setting<T | null>, expected: string): T | null {
    if (this.isSet(setting)) return this.read(setting)
    this.add(setting, 'is not set', { expected })
    return null
  }

  isSet(setting: Setting<unknown>): boolean {
    return this.#text(setting) !== null
  }

  /** One mistake for each variable: what is read twice is reported once. */
  add({ name }: Setting<unknown>, message: string, hint: Hint): void {
    const where = { file: 'environment', line: null, column: null, path: name }
    if (this.#mistakes.some(({ path }) => path === name)) return
    this.#mistakes.push(mistake(where, message, hint))
  }

  mistakes(): readonly Mistake[] {
    return this.#mistakes
  }

  throwIfAny(): void {
    if (this.#mistakes.length > 0) throw new ConfigError(this.#mistakes)
  }

  /** Spaces around a value come from files and forms; an empty value counts as unset. */
  #text({ name }: Setting<unknown>): string | null {
    const text = this.#env[name]?.trim() ?? ''
    return text === '' ? null : text
  }
}

const OWN = /^(?:SHIPFOX_PROVISIONER_|SHIPFOX_RUNNER_|SLIPWAY_)/

/** A sentence for each set variable that looks like one of ours and isn't. Values are never shown. */
export function unknownVariables(env: Env): readonly string[] {
  const known = SETTINGS_HELP.map(({ name }) => name)
  const unknown = Object.keys(env).filter((name) => OWN.test(name) && !known.includes(name))
  return unknown
    .filter((name) => (env[name] ?? '') !== '')
    .toSorted()
    .map((name) => {
      const nearest = nearestName(name, known)
      const meant = nearest === null ? '' : ` (did you mean ${nearest}?)`
      return `${name} is not a variable that Slipway knows, and it is ignored${meant}.`
    })
}
