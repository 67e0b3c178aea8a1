import { ExpressionError, type Token } from './tokens.ts'

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression }
  | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly operand: Expression }
  | {
      readonly kind: 'binary'
      readonly operator: Operator
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'choice'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }

/** Precedence of each operator, a higher number first; all are left-associative. */
const BINDING = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
} as const
export type Operator = keyof typeof BINDING

const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** Reads all tokens as one expression. Throws ExpressionError. */
export function parseExpression(tokens: readonly Token[]): Expression {
  const cursor = new Cursor(tokens)
  const expression = choice(cursor)
  if (!cursor.atEnd()) throw cursor.unexpected('an operator or the end')
  return expression
}

class Cursor {
  readonly #tokens: readonly Token[]
  #index = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  atEnd(): boolean {
    return this.#index >= this.#tokens.length
  }

  peek(): string | null {
    const token = this.#tokens[this.#index]
    return token?.kind === 'symbol' ? token.symbol : null
  }

  next(): Token | undefined {
    const token = this.#tokens[this.#index]
    this.#index += 1
    return token
  }

  takes(symbol: string): boolean {
    if (this.peek() !== symbol) return false
    this.#index += 1
    return true
  }

  needs(symbol: string): void {
    if (!this.takes(symbol)) throw this.unexpected(`"${symbol}"`)
  }

  unexpected(expected: string): ExpressionError {
    const token = this.#tokens[this.#index]
    const message =
      token === undefined
        ? 'the expression ends too early'
        : `unexpected ${describe(token)} in the expression`
    return new ExpressionError(message, { expected })
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'symbol':
      return `"${token.symbol}"`
    case 'name':
      return `name ${token.name}`
    case 'number':
      return `number ${token.value}`
    case 'text':
      return 'text'
  }
}

function choice(cursor: Cursor): Expression {
  const test = binary(cursor, 1)
  if (!cursor.takes('?')) return test
  const yes = choice(cursor)
  cursor.needs(':')
  return { kind: 'choice', test, yes, no: choice(cursor) }
}

function binary(cursor: Cursor, weakest: number): Expression {
  let left = unary(cursor)
  for (;;) {
    const operator = cursor.peek()
    if (operator === null || !isOperator(operator) || BINDING[operator] < weakest) return left
    cursor.next()
    left = { kind: 'binary', operator, left, right: binary(cursor, BINDING[operator] + 1) }
  }
}

function isOperator(symbol: string): symbol is Operator {
  return Object.hasOwn(BINDING, symbol)
}

function unary(cursor: Cursor): Expression {
  if (cursor.takes('!')) return { kind: 'unary', operator: '!', operand: unary(cursor) }
  if (cursor.takes('-')) return { kind: 'unary', operator: '-', operand: unary(cursor) }
  return members(cursor)
}

function members(cursor: Cursor): Expression {
  let expression = primary(cursor)
  for (;;) {
    if (cursor.takes('.')) {
      expression = { kind: 'member', of: expression, key: { kind: 'literal', value: memberName(cursor) } }
    } else if (cursor.takes('[')) {
      expression = { kind: 'member', of: expression, key: choice(cursor) }
      cursor.needs(']')
    } else {
      return expression
    }
  }
}

function memberName(cursor: Cursor): string {
  const token = cursor.next()
  if (token?.kind === 'name') return token.name
  throw new ExpressionError('a "." in the expression is not followed by a name', {
    expected: 'a name, or ["…"] for a key that is not a name',
  })
}

function primary(cursor: Cursor): Expression {
  if (cursor.takes('(')) {
    const inner = choice(cursor)
    cursor.needs(')')
    return inner
  }
  if (cursor.takes('[')) return { kind: 'list', items: listItems(cursor) }
  if (cursor.atEnd() || cursor.peek() !== null) throw cursor.unexpected('a value')
  const token = cursor.next()
  if (token?.kind === 'name') return nameOrConstant(token.name)
  if (token?.kind === 'number' || token?.kind === 'text') return { kind: 'literal', value: token.value }
  throw cursor.unexpected('a value')
}

function nameOrConstant(name: string): Expression {
  const constant = CONSTANTS.get(name)
  return constant === undefined ? { kind: 'name', name } : { kind: 'literal', value: constant }
}

function listItems(cursor: Cursor): readonly Expression[] {
  const items: Expression[] = []
  while (!cursor.takes(']')) {
    if (items.length > 0) cursor.needs(',')
    if (items.length > 0 && cursor.takes(']')) break
    items.push(choice(cursor))
  }
  return items
}
