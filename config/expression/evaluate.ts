import { unreachable } from '../../core/model/index.ts'
import { nearestName } from '../nearest.ts'
import type { Expression, Operator } from './parse.ts'
import { ExpressionError } from './tokens.ts'
import { isList, isMap, kindOf, sameValue, sizeOf, type Value, type ValueMap } from './value.ts'

/** The largest value that an expression may compute: enough for any axis, and far below the memory limit. */
const VALUE_MAX_SIZE = 10_000

/** Pure. Names resolve in `scope` alone. Throws ExpressionError. */
export function evaluate(expression: Expression, scope: ValueMap): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'name':
      return lookUp(scope, expression.name, 'is not known here')
    case 'list':
      return bounded(expression.items.map((item) => evaluate(item, scope)))
    case 'member':
      return member(evaluate(expression.of, scope), evaluate(expression.key, scope))
    case 'unary':
      return unary(expression.operator, evaluate(expression.operand, scope))
    case 'binary':
      return binary(expression.operator, expression.left, expression.right, scope)
    case 'choice':
      return evaluate(truth(evaluate(expression.test, scope), '?') ? expression.yes : expression.no, scope)
    default:
      return unreachable(expression)
  }
}

function lookUp(map: ValueMap, key: string, problem: string): Value {
  const value = map.get(key)
  if (value !== undefined) return value
  const known = [...map.keys()]
  const shown = known.slice(0, 10).join(', ') + (known.length > 10 ? ', …' : '')
  throw new ExpressionError(`"${key}" ${problem}`, {
    expected: known.length === 0 ? 'an expression without names: none is defined' : `one of ${shown}`,
    nearest: nearestName(key, known),
  })
}

function member(of: Value, key: Value): Value {
  if (isMap(of) && key !== null && typeof key !== 'object')
    return lookUp(of, String(key), 'is not a key of this map')
  if (isList(of) && typeof key === 'number') return listItem(of, key)
  throw new ExpressionError(`${kindOf(of)} can't be indexed with ${kindOf(key)}`, {
    expected: 'a map and its key, or a list and its index',
  })
}

function listItem(list: readonly Value[], index: number): Value {
  const value = list[index]
  if (value !== undefined) return value
  throw new ExpressionError(`the list has ${list.length} items and no index ${index}`, {
    expected: `an index from 0 to ${list.length - 1}`,
  })
}

function unary(operator: '!' | '-', operand: Value): Value {
  return operator === '!' ? !truth(operand, '!') : 0 - number(operand, '-')
}

function binary(operator: Operator, left: Expression, right: Expression, scope: ValueMap): Value {
  const first = evaluate(left, scope)
  if (operator === '&&') return truth(first, operator) && truth(evaluate(right, scope), operator)
  if (operator === '||') return truth(first, operator) || truth(evaluate(right, scope), operator)
  return combine(operator, first, evaluate(right, scope))
}

function combine(operator: Exclude<Operator, '&&' | '||'>, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return sameValue(left, right)
    case '!=':
      return !sameValue(left, right)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return inOrder(operator, left, right)
    case '+':
      return typeof left === 'string' || typeof right === 'string'
        ? concatenate(left, right)
        : finite(number(left, operator) + number(right, operator))
    case '-':
      return finite(number(left, operator) - number(right, operator))
    case '*':
      return finite(number(left, operator) * number(right, operator))
    case '/':
      return finite(number(left, operator) / divisor(right, operator))
    case '%':
      return finite(number(left, operator) % divisor(right, operator))
    default:
      return unreachable(operator)
  }
}

function inOrder(operator: '<' | '<=' | '>' | '>=', left: Value, right: Value): boolean {
  const comparable =
    (typeof left === 'number' && typeof right === 'number') ||
    (typeof left === 'string' && typeof right === 'string')
  if (!comparable) {
    throw new ExpressionError(`"${operator}" can't compare ${kindOf(left)} with ${kindOf(right)}`, {
      expected: 'two numbers or two texts',
    })
  }
  if (operator === '<') return left < right
  if (operator === '<=') return left <= right
  return operator === '>' ? left > right : left >= right
}

function truth(value: Value, operator: string): boolean {
  if (typeof value === 'boolean') return value
  throw new ExpressionError(`"${operator}" was given ${kindOf(value)}`, { expected: 'true or false' })
}

function number(value: Value, operator: string): number {
  if (typeof value === 'number') return value
  throw new ExpressionError(`"${operator}" was given ${kindOf(value)}`, { expected: 'a number' })
}

function divisor(value: Value, operator: string): number {
  const by = number(value, operator)
  if (by === 0) throw new ExpressionError(`"${operator}" was given 0`, { expected: 'another number' })
  return by
}

/** Rounds off the noise of binary fractions: 3 * 0.1 is 0.3, not 0.30000000000000004. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new ExpressionError('the result is too large for a number')
  return Number.isInteger(value) ? value : Number(value.toPrecision(15))
}

function concatenate(left: Value, right: Value): string {
  return bounded(asText(left) + asText(right))
}

/** A value as text. Throws ExpressionError for a list, a map and null, which have no text form. */
export function asText(value: Value): string {
  if (value !== null && typeof value !== 'object') return String(value)
  throw new ExpressionError(`${kindOf(value)} can't be part of a text`, {
    expected: 'text, a number, true or false',
  })
}

/** The value itself, unless it is too large: then ExpressionError. */
export function bounded<V extends Value>(value: V): V {
  if (sizeOf(value, VALUE_MAX_SIZE) < VALUE_MAX_SIZE) return value
  throw new ExpressionError('the value of an expression is too large')
}
