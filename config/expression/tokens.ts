import { SlipwayError } from '../../core/model/index.ts'

/** What is wrong with an expression. It carries no place in a file: the caller adds that. */
export class ExpressionError extends SlipwayError {
  readonly expected: string | undefined
  readonly nearest: string | null

  constructor(message: string, hint: { expected?: string; nearest?: string | null } = {}) {
    super('expression-invalid', message)
    this.name = 'ExpressionError'
    this.expected = hint.expected
    this.nearest = hint.nearest ?? null
  }
}

export type Token =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'symbol'; readonly symbol: string }

/** Parser and evaluator are recursive: this bounds their depth far below the stack's limit. */
const EXPRESSION_MAX_CHARACTERS = 1000

const SPACE = /\s+/y
const NUMBER = /\d+(?:\.\d+)?(?![\w.])/y
const NAME = /[A-Za-z_]\w*/y
const TEXT = /"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'/y
const SYMBOL = /}}|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:()[\].,]/y

/**
 * The tokens from `start` to the `}}` that closes the expression, and the offset after it.
 * Throws ExpressionError.
 */
export function tokenize(text: string, start: number): { tokens: readonly Token[]; end: number } {
  const tokens: Token[] = []
  let offset = start
  while (offset < text.length) {
    if (offset - start > EXPRESSION_MAX_CHARACTERS) {
      throw new ExpressionError(`an expression is longer than ${EXPRESSION_MAX_CHARACTERS} characters`)
    }
    const { token, length } = nextToken(text, offset)
    offset += length
    if (token?.kind === 'symbol' && token.symbol === '}}') return { tokens, end: offset }
    if (token !== null) tokens.push(token)
  }
  throw new ExpressionError('an expression is not closed', { expected: '}} at its end' })
}

function nextToken(text: string, offset: number): { token: Token | null; length: number } {
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = offset
    return pattern.exec(text)?.[0] ?? null
  }
  const space = match(SPACE)
  if (space !== null) return { token: null, length: space.length }
  const number = match(NUMBER)
  if (number !== null) return { token: { kind: 'number', value: Number(number) }, length: number.length }
  const name = match(NAME)
  if (name !== null) return { token: { kind: 'name', name }, length: name.length }
  const quoted = match(TEXT)
  if (quoted !== null) return { token: { kind: 'text', value: unquote(quoted) }, length: quoted.length }
  const symbol = match(SYMBOL)
  if (symbol !== null) return { token: { kind: 'symbol', symbol }, length: symbol.length }
  throw new ExpressionError(
    `an expression has a syntax error at ${JSON.stringify(text.slice(offset, offset + 10))}`,
    {
      expected: 'names, numbers, quoted text and + - * / % == != < > <= >= && || ! ? : ( ) [ ] .',
    },
  )
}

/** A backslash escapes the character after it, whatever that is; there are no other escapes. */
function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\([^])/g, '$1')
}
