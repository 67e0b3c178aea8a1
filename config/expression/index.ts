import { asText, bounded, evaluate } from './evaluate.ts'
import { parseExpression } from './parse.ts'
import { tokenize } from './tokens.ts'
import type { Value, ValueMap } from './value.ts'

export { ExpressionError } from './tokens.ts'
export * from './value.ts'

const OPENING = '${{'

export function hasExpression(text: string): boolean {
  return text.includes(OPENING)
}

/**
 * If the text is one single `${{ }}`, the value of the expression with its type; else the text with each expression
 * replaced by its value. Throws ExpressionError.
 */
export function evaluateText(text: string, scope: ValueMap): Value {
  if (!hasExpression(text)) return text
  const trimmed = text.trim()
  let result = ''
  let offset = 0
  for (let open = text.indexOf(OPENING); open !== -1; open = text.indexOf(OPENING, offset)) {
    const { tokens, end } = tokenize(text, open + OPENING.length)
    const value = evaluate(parseExpression(tokens), scope)
    if (end - open === trimmed.length) return value
    result = bounded(result + text.slice(offset, open) + asText(value))
    offset = end
  }
  return bounded(result + text.slice(offset))
}
