import type { Value, ValueMap } from '../expression/index.ts'
import { type MistakeList, type Place, quote } from '../mistakes.ts'
import { asList, asMap, type ListNode, type Node, valueOf } from '../tree.ts'
import type { Expander } from './expand.ts'

export interface Axis {
  readonly name: string
  readonly values: readonly Value[]
}

/** What reading a part of the file needs. `scope` holds `vars`, all that is known outside a matrix cell. */
export interface Reading {
  readonly expander: Expander
  readonly scope: ValueMap
  readonly mistakes: MistakeList
  readonly warnings: MistakeList
}

/** More than a server takes by far, and expanded within a second. */
export const COMBINATIONS_MAX = 10_000

const NAME = /^[A-Za-z_]\w*$/
const TAKEN: readonly string[] = ['vars', 'true', 'false', 'null']

/** True when an expression can use the name; else it is a mistake. */
export function isUsableName(name: string, place: Place, mistakes: MistakeList): boolean {
  if (NAME.test(name) && !TAKEN.includes(name)) return true
  const expected = `letters, digits and "_", no digit first, and none of ${TAKEN.join(', ')}`
  mistakes.add(place, `${quote(name)} is not a name that expressions can use`, { expected })
  return false
}

/** All axes of a family; undefined when one of them is wrong. */
export function readAxes(node: Node, reading: Reading): readonly Axis[] | undefined {
  const { mistakes } = reading
  const map = asMap(node, mistakes, 'a map of names and lists of values')
  if (map === undefined) return undefined
  const axes = [...map.entries].map(([name, entry]): Axis | undefined => {
    const usable = isUsableName(name, entry.keyPlace, mistakes)
    const values = readAxisValues(entry.node, reading)
    return usable && values !== undefined ? { name, values } : undefined
  })
  if (axes.length === 0) mistakes.add(node.place, 'has no axis', { expected: 'at least one' })
  return axes.length > 0 && axes.every((axis) => axis !== undefined) ? axes : undefined
}

function readAxisValues(node: Node, reading: Reading): readonly Value[] | undefined {
  const { expander, scope, mistakes } = reading
  const expected = 'a list of values, or an expression for one'
  const list = asList(expander.expand(node, scope, mistakes), mistakes, expected)
  if (list === undefined) return undefined
  if (list.items.length === 0) {
    mistakes.add(list.place, 'is an empty list', { expected: 'at least one value' })
    return undefined
  }
  return distinctValues(list, mistakes)
}

function distinctValues(list: ListNode, mistakes: MistakeList): readonly Value[] | undefined {
  const values = new Set<Value>()
  for (const item of list.items) {
    const value = valueOf(item)
    if (value === undefined) continue
    if (values.has(value)) {
      mistakes.add(item.place, `${quote(value)} stands twice on this axis`, { expected: 'each value once' })
    }
    values.add(value)
  }
  return values.size === list.items.length ? [...values] : undefined
}
