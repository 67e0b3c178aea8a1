import { SlipwayError } from '../core/model/index.ts'

/** Where something stands in a file. `path` is the way of keys to it: `templates.docker-debug.memory`. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly path: string
}

/** One thing that is wrong, and what would be right. `line` and `column` count from 1. */
export interface Mistake {
  readonly file: string
  /** Null in the environment. */
  readonly line: number | null
  readonly column: number | null
  /** The way of keys to the value, or the name of the variable. */
  readonly path: string
  readonly message: string
  readonly expected: string | null
  /** The valid name that was most likely meant. */
  readonly nearest: string | null
}

export interface Hint {
  readonly expected?: string
  readonly nearest?: string | null
}

/** Every mistake of a file or an environment at once. */
export class ConfigError extends SlipwayError {
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[], options?: { cause?: unknown }) {
    super('config-invalid', mistakes.map(formatMistake).join('\n'), options)
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

export function formatMistake(wrong: Mistake): string {
  const { file, line, column, path, message, expected, nearest } = wrong
  const place = line === null ? file : `${file}:${line}:${column}`
  const wanted = expected === null ? '' : `; expected ${expected}`
  const meant = nearest === null ? '' : ` (did you mean "${nearest}"?)`
  return `${place} ${path === '' ? '' : `${path}: `}${message}${wanted}${meant}`
}

/**
 * Collects mistakes, so that one look at a file finds all of them. A place is reported once: what is wrong in
 * `defaults` or in a matrix would otherwise come back with every template made from it.
 */
export class MistakeList {
  readonly #file: string
  readonly #byPlace: Map<string, Mistake>
  readonly #context: string

  constructor(file: string, byPlace: Map<string, Mistake> = new Map(), context = '') {
    this.#file = file
    this.#byPlace = byPlace
    this.#context = context
  }

  /** The same list, with words such as `os=ubuntu22` behind each message that is added through it. */
  inContext(context: string): MistakeList {
    return new MistakeList(this.#file, this.#byPlace, ` (${context})`)
  }

  add(place: Place, message: string, hint: Hint = {}): void {
    const { line, column, path } = place
    const key = JSON.stringify([line, column, path])
    if (this.#byPlace.has(key)) return
    const text = message + this.#context
    this.#byPlace.set(key, mistake({ file: this.#file, line, column, path }, text, hint))
  }

  /** In the order of the file. */
  all(): readonly Mistake[] {
    return [...this.#byPlace.values()].toSorted(
      (left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
    )
  }

  throwIfAny(): void {
    if (this.#byPlace.size > 0) throw new ConfigError(this.all())
  }
}

export function mistake(
  where: Pick<Mistake, 'file' | 'line' | 'column' | 'path'>,
  message: string,
  hint: Hint = {},
): Mistake {
  const { expected, nearest } = hint
  return {
    ...where,
    path: printable(where.path),
    message: printable(message),
    expected: expected === undefined ? null : printable(expected),
    nearest: nearest ?? null,
  }
}

const CONTROLS = /\p{Cc}+/gu

/** Names of the file stand in messages: they may neither break the line nor hold a token. */
function printable(text: string): string {
  return withoutTokens(text).replaceAll(CONTROLS, ' ')
}

const TOKEN = /sf_[a-z]+_[\w-]+/gi

/** A token that was pasted into the wrong place must not reach a log by way of the message about it. */
function withoutTokens(text: string): string {
  return text.replaceAll(TOKEN, '[secret]')
}

/** Long enough to recognise a value by. */
const QUOTED_CHARACTERS = 40

/** A value as messages show it: short, on one line, without any token. */
export function quote(value: unknown): string {
  return shorten(withoutTokens(JSON.stringify(value) ?? String(value)))
}

export function shorten(text: string): string {
  return text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text
}
