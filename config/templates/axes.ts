import type { Value, ValueMap } from '../expression/index.ts'
import { type IssueList, type Place, quote } from '../issues.ts'
import { asList, asMap, type ListNode, type Node, valueOf } from '../tree.ts'
import type { Expander } from './expand.ts'

export interface Axis {
  readonly name: string
  readonly values: readonly Value[]
}

/** Shared by the readers of all parts of a file. `scope` holds `vars`, the only name known outside a combination. */
export interface Reading {
  readonly expander: Expander
  readonly scope: ValueMap
  readonly issues: IssueList
  readonly warnings: IssueList
}

/** Far more than a server accepts, and few enough to expand within a second. */
export const COMBINATIONS_MAX = 10_000

const NAME = /^[A-Za-z_]\w*$/
const TAKEN: readonly string[] = ['vars', 'true', 'false', 'null']

/** True if an expression can use the name; otherwise adds an issue. */
export function isUsableName(name: string, place: Place, issues: IssueList): boolean {
  if (NAME.test(name) && !TAKEN.includes(name)) return true
  const expected = `letters, digits and "_", no digit first, and none of ${TAKEN.join(', ')}`
  issues.add(place, `${quote(name)} is not a name that expressions can use`, { expected })
  return false
}

/** All axes of a family; undefined when one of them is invalid. */
export function readAxes(node: Node, reading: Reading): readonly Axis[] | undefined {
  const { issues } = reading
  const map = asMap(node, issues, 'a map of names and lists of values')
  if (map === undefined) return undefined
  const axes = [...map.entries].map(([name, entry]): Axis | undefined => {
    const usable = isUsableName(name, entry.keyPlace, issues)
    const values = readAxisValues(entry.node, reading)
    return usable && values !== undefined ? { name, values } : undefined
  })
  if (axes.length === 0) issues.add(node.place, 'has no axis', { expected: 'at least one' })
  return axes.length > 0 && axes.every((axis) => axis !== undefined) ? axes : undefined
}

function readAxisValues(node: Node, reading: Reading): readonly Value[] | undefined {
  const { expander, scope, issues } = reading
  const expected = 'a list of values, or an expression for one'
  const list = asList(expander.expand(node, scope, issues), issues, expected)
  if (list === undefined) return undefined
  if (list.items.length === 0) {
    issues.add(list.place, 'is an empty list', { expected: 'at least one value' })
    return undefined
  }
  return distinctValues(list, issues)
}

function distinctValues(list: ListNode, issues: IssueList): readonly Value[] | undefined {
  const values = new Set<Value>()
  for (const item of list.items) {
    const value = valueOf(item)
    if (value === undefined) continue
    if (values.has(value)) {
      issues.add(item.place, `${quote(value)} is listed twice on this axis`, { expected: 'each value once' })
    }
    values.add(value)
  }
  return values.size === list.items.length ? [...values] : undefined
}
