import type { IssueList } from '../issues.ts'
import { quote } from '../issues.ts'
import { nearestName } from '../nearest.ts'
import type { Parsed } from '../quantities.ts'
import { describeNode, type ListNode, type MapNode, type Node, type ScalarNode } from '../tree.ts'

/** Returns the value of a node, or adds an issue and returns undefined. */
export type Reader<T> = (node: Node, issues: IssueList) => T | undefined

/** A reader of scalars: `check` returns the result, or null when the value has the wrong type. */
function scalar<T>(expected: string, check: (node: ScalarNode) => Parsed<T> | null): Reader<T> {
  return (node, issues) => {
    if (node.kind === 'invalid') return undefined
    const result = node.kind === 'scalar' ? check(node) : null
    if (result?.ok) return result.value
    if (result === null) issues.add(node.place, describeNode(node), { expected })
    else issues.add(node.place, `${shown(node)} ${result.message}`, { expected: result.expected })
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
      : {
          ok: false,
          message: Number.isInteger(value) ? 'is out of range' : 'is not a whole number',
          expected,
        },
  )
}

/**
 * Text, or a number whose text form is what was written: `4` and `22.04` are, but YAML reads `24.10` as 24.1.
 */
export const plainText: Reader<string> = (node, issues) => {
  if (node.kind === 'scalar' && typeof node.value === 'string') return node.value
  if (node.kind === 'scalar' && typeof node.value === 'number' && isExact(node)) return String(node.value)
  if (node.kind !== 'invalid') {
    const expected = node.kind === 'scalar' && node.value !== null ? 'text: put it in quotes' : 'text'
    issues.add(node.place, describeNode(node), { expected })
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
  return (node, issues) => {
    if (node.kind === 'invalid') return undefined
    const found = node.kind === 'scalar' ? choices.find((name) => name === node.value) : undefined
    if (found !== undefined) return found
    const given = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : null
    const message = given === null ? describeNode(node) : `is ${quote(given)}`
    issues.add(node.place, message, {
      expected,
      nearest: given === null ? null : nearestName(given, choices),
    })
    return undefined
  }
}

/** All items, or undefined when one of them is invalid; each invalid one is reported. */
export function readItems<T>(list: ListNode, read: Reader<T>, issues: IssueList): readonly T[] | undefined {
  const items = list.items.map((item) => read(item, issues))
  return items.every((item) => item !== undefined) ? items : undefined
}

/** An unknown key is an issue everywhere: ignoring it would hide typing errors. */
export function rejectUnknownKeys(map: MapNode, known: readonly string[], issues: IssueList): void {
  for (const [name, { keyPlace }] of map.entries) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    issues.add(keyPlace, 'is not a known key here', {
      expected: `one of ${known.join(', ')}`,
      nearest,
    })
  }
}
