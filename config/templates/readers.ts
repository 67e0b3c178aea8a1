import type { MistakeList } from '../mistakes.ts'
import { quote } from '../mistakes.ts'
import { nearestName } from '../nearest.ts'
import type { Parsed } from '../quantities.ts'
import { describeNode, type ListNode, type MapNode, type Node, type ScalarNode } from '../tree.ts'

/** The value of a node, or undefined once a mistake says what is wrong with it. */
export type Reader<T> = (node: Node, mistakes: MistakeList) => T | undefined

/** A reader of single values: `check` gives the value, or null where the value is not of the right kind. */
function scalar<T>(expected: string, check: (node: ScalarNode) => Parsed<T> | null): Reader<T> {
  return (node, mistakes) => {
    if (node.kind === 'invalid') return undefined
    const result = node.kind === 'scalar' ? check(node) : null
    if (result?.ok) return result.value
    if (result === null) mistakes.add(node.place, describeNode(node), { expected })
    else mistakes.add(node.place, `${shown(node)} ${result.message}`, { expected: result.expected })
    return undefined
  }
}

function shown(node: Node): string {
  if (node.kind !== 'scalar') return describeNode(node)
  return typeof node.value === 'string' ? quote(node.value) : String(node.source ?? node.value)
}

export function textWith<T>(expected: string, parse: (text: string) => Parsed<T>): Reader<T> {
  return scalar(expected, (node) => (typeof node.value === 'string' ? parse(node.value) : null))
}

export function numberWith(expected: string, parse: (value: number) => Parsed<number>): Reader<number> {
  return scalar(expected, (node) => (typeof node.value === 'number' ? parse(node.value) : null))
}

export function integer(min: number, max: number): Reader<number> {
  const expected = `a whole number from ${min} to ${max}`
  return numberWith(expected, (value) =>
    Number.isInteger(value) && value >= min && value <= max
      ? { ok: true, value }
      : { ok: false, message: Number.isInteger(value) ? 'is out of range' : 'is no whole number', expected },
  )
}

/**
 * Text, or a number that reads back as it was written: `4` and `22.04` do, but YAML makes `24.10` a 24.1.
 */
export const plainText: Reader<string> = (node, mistakes) => {
  if (node.kind === 'scalar' && typeof node.value === 'string') return node.value
  if (node.kind === 'scalar' && typeof node.value === 'number' && isExact(node)) return String(node.value)
  if (node.kind !== 'invalid') {
    const expected = node.kind === 'scalar' && node.value !== null ? 'text: put it in quotes' : 'text'
    mistakes.add(node.place, describeNode(node), { expected })
  }
  return undefined
}

function isExact(node: ScalarNode): boolean {
  return Number.isFinite(node.value) && (node.source === null || node.source === String(node.value))
}

export function choice<const C extends string>(
  choices: readonly C[],
  expected: string = choices.join(' or '),
): Reader<C> {
  return (node, mistakes) => {
    if (node.kind === 'invalid') return undefined
    const found = node.kind === 'scalar' ? choices.find((name) => name === node.value) : undefined
    if (found !== undefined) return found
    const given = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : null
    const message = given === null ? describeNode(node) : `is ${quote(given)}`
    mistakes.add(node.place, message, {
      expected,
      nearest: given === null ? null : nearestName(given, choices),
    })
    return undefined
  }
}

/** All items, or undefined when one of them is wrong; each wrong one is reported. */
export function readItems<T>(
  list: ListNode,
  read: Reader<T>,
  mistakes: MistakeList,
): readonly T[] | undefined {
  const items = list.items.map((item) => read(item, mistakes))
  return items.every((item) => item !== undefined) ? items : undefined
}

/** Keys are strict everywhere: one that isn't known is a mistake, not a wish that silently does nothing. */
export function rejectUnknownKeys(map: MapNode, known: readonly string[], mistakes: MistakeList): void {
  for (const [name, { keyPlace }] of map.entries) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    mistakes.add(keyPlace, 'is not a key that stands here', {
      expected: `one of ${known.join(', ')}`,
      nearest,
    })
  }
}
