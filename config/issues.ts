import { truncate, redactTokens, SlipwayError, toPrintableLine } from '../core/model/index.ts'

/** A position in a file. `path` holds the keys that lead to it: `templates.docker-debug.memory`. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly path: string
}

/** One problem in a file or the environment, and what was expected. `line` and `column` count from 1. */
export interface Issue {
  readonly file: string
  /** Null for a variable of the environment. */
  readonly line: number | null
  readonly column: number | null
  /** The keys that lead to the value, or the name of the variable. */
  readonly path: string
  readonly message: string
  readonly expected: string | null
  /** The valid name that is most like the one given; null = none is close. */
  readonly nearest: string | null
}

export interface Hint {
  readonly expected?: string
  readonly nearest?: string | null
}

/** All issues of a file or an environment. */
export class ConfigError extends SlipwayError {
  readonly issues: readonly Issue[]

  constructor(issues: readonly Issue[], options?: { cause?: unknown }) {
    super('config-invalid', issues.map(formatIssue).join('\n'), options)
    this.name = 'ConfigError'
    this.issues = issues
  }
}

export function formatIssue(issue: Issue): string {
  const { file, line, column, path, message, expected, nearest } = issue
  const place = line === null ? file : `${file}:${line}:${column}`
  const wanted = expected === null ? '' : `; expected ${expected}`
  const meant = nearest === null ? '' : ` (did you mean "${nearest}"?)`
  return `${place} ${path === '' ? '' : `${path}: `}${message}${wanted}${meant}`
}

/**
 * Collects issues, so that one reading of a file finds all of them. Each place is reported once: otherwise one issue
 * in `defaults` or in a matrix would be repeated for every template made from it.
 */
export class IssueList {
  readonly #file: string
  readonly #byPlace: Map<string, Issue>
  readonly #context: string

  constructor(file: string, byPlace: Map<string, Issue> = new Map(), context = '') {
    this.#file = file
    this.#byPlace = byPlace
    this.#context = context
  }

  /** A view of the same list that appends a context such as `os=ubuntu22` to each message added through it. */
  inContext(context: string): IssueList {
    return new IssueList(this.#file, this.#byPlace, ` (${context})`)
  }

  add(place: Place, message: string, hint: Hint = {}): void {
    const { line, column, path } = place
    const key = JSON.stringify([line, column, path])
    if (this.#byPlace.has(key)) return
    const text = message + this.#context
    this.#byPlace.set(key, issueAt({ file: this.#file, line, column, path }, text, hint))
  }

  /** In file order. */
  all(): readonly Issue[] {
    return [...this.#byPlace.values()].toSorted(
      (left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
    )
  }

  throwIfAny(): void {
    if (this.#byPlace.size > 0) throw new ConfigError(this.all())
  }
}

export function issueAt(
  where: Pick<Issue, 'file' | 'line' | 'column' | 'path'>,
  message: string,
  hint: Hint = {},
): Issue {
  const { expected, nearest } = hint
  return {
    ...where,
    path: printable(where.path),
    message: printable(message),
    expected: expected === undefined ? null : printable(expected),
    nearest: nearest ?? null,
  }
}

/** Messages repeat names from the file: such a name must not break the line or reveal a token. */
function printable(text: string): string {
  return toPrintableLine(redactTokens(text))
}

/** Enough to recognise a value. */
const QUOTED_CHARACTERS = 40

/**
 * A value as messages show it: short, on one line, without tokens. One that was pasted into the wrong place must not
 * reach a log through the message about it.
 */
export function quote(value: unknown): string {
  return shorten(redactTokens(JSON.stringify(value) ?? String(value)))
}

export function shorten(text: string): string {
  return truncate(text, QUOTED_CHARACTERS)
}
