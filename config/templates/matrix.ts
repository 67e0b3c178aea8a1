import type { Value, ValueMap } from '../expression/index.ts'
import { type IssueList, type Place, shorten } from '../issues.ts'
import { asMap, childPath, emptyMap, type MapNode, type Node, valueOf } from '../tree.ts'
import { type Axis, COMBINATIONS_MAX, isUsableName, type Reading, readAxes } from './axes.ts'
import { type Binding, cross, exclude, include, productOf } from './bindings.ts'
import { plainText, rejectUnknownKeys } from './readers.ts'

/** A template after expansion and before validation: its key, and its fields with every expression evaluated. */
export interface Draft {
  readonly key: string
  /** Where a missing field or an invalid key is reported. */
  readonly place: Place
  readonly node: Node
  /** Adds the combination that produced the draft to each message. */
  readonly issues: IssueList
}

/** One entry of `matrix`, with its combinations. */
export interface Family {
  readonly name: string
  readonly axes: readonly Axis[]
  readonly bindings: readonly Binding[]
  readonly lets: MapNode
  readonly key: Node | null
  readonly template: Node
  readonly place: Place
}

export const FAMILY_KEYS = ['axes', 'exclude', 'include', 'let', 'key', 'template']

/** All families that can be expanded; the limit on combinations applies to all of them together. */
export function readFamilies(matrix: MapNode, reading: Reading): readonly Family[] {
  let room = COMBINATIONS_MAX
  return [...matrix.entries].flatMap(([name, { keyPlace, node }]) => {
    const family = readFamily(name, keyPlace, node, room, reading)
    room -= family?.bindings.length ?? 0
    return family === undefined ? [] : [family]
  })
}

function readFamily(
  name: string,
  place: Place,
  node: Node,
  room: number,
  reading: Reading,
): Family | undefined {
  const { issues } = reading
  const map = asMap(node, issues, `a map of ${FAMILY_KEYS.join(', ')}`)
  if (map === undefined) return undefined
  rejectUnknownKeys(map, FAMILY_KEYS, issues)
  for (const key of ['axes', 'template']) {
    if (map.entries.has(key)) continue
    issues.add({ ...place, path: childPath(place.path, key) }, 'is missing', {
      expected: `${key} in each family`,
    })
  }
  const [axesNode, template] = [map.entries.get('axes')?.node, map.entries.get('template')]
  const axes = axesNode && readAxes(axesNode, reading)
  const letNode = map.entries.get('let')?.node
  const lets = letNode === undefined ? emptyMap(place) : asMap(letNode, issues, 'a map of names and values')
  const usable = axes !== undefined && lets !== undefined && checkLets(lets, axes, issues)
  if (!usable || template === undefined) return undefined
  const bindings = readCombinations(map, axes, room, reading)
  const key = map.entries.get('key')?.node ?? null
  return bindings && { name, axes, bindings, lets, key, template: template.node, place: template.keyPlace }
}

function checkLets(lets: MapNode, axes: readonly Axis[], issues: IssueList): boolean {
  const good = [...lets.entries].map(([name, { keyPlace }]) => {
    if (!axes.some((axis) => axis.name === name)) return isUsableName(name, keyPlace, issues)
    issues.add(keyPlace, 'is already the name of an axis', { expected: 'another name' })
    return false
  })
  return good.every(Boolean)
}

function readCombinations(
  family: MapNode,
  axes: readonly Axis[],
  room: number,
  reading: Reading,
): readonly Binding[] | undefined {
  const node = (name: string): Node | undefined => family.entries.get(name)?.node
  const product = productOf(axes)
  const crossed = product > COMBINATIONS_MAX ? [] : exclude(cross(axes), node('exclude'), axes, reading)
  const bindings = [...crossed, ...include(node('include'), axes, reading)]
  if (product <= COMBINATIONS_MAX && bindings.length <= room) return bindings
  const place = family.entries.get('axes')?.keyPlace ?? family.place
  const count = Math.max(product, bindings.length)
  reading.issues.add(place, `makes too many combinations: ${count} here`, {
    expected: `at most ${COMBINATIONS_MAX} in the whole file`,
  })
  return undefined
}

/** One draft for each combination of a family, evaluated in the scope of that combination. */
export function expandFamily(family: Family, defaults: MapNode, reading: Reading): readonly Draft[] {
  return family.bindings.flatMap((binding) => {
    const issues = reading.issues.inContext(describeBinding(binding))
    const scope = scopeOf(family, binding, { ...reading, issues })
    if (scope === undefined) return []
    const key = keyOf(family, binding, scope, { ...reading, issues })
    if (key === undefined) return []
    const node = reading.expander.expandOver(defaults, family.template, scope, issues)
    return [{ key, place: family.place, node, issues }]
  })
}

function describeBinding(binding: Binding): string {
  return [...binding].map(([name, value]) => `${name}=${shorten(plain(value) ?? '…')}`).join(', ')
}

/** `vars`, the axes, then each `let` in order; undefined when one of them is invalid. */
function scopeOf(
  family: Family,
  binding: Binding,
  { expander, scope, issues }: Reading,
): ValueMap | undefined {
  const names = new Map<string, Value>([...scope, ...binding])
  for (const [name, { node }] of family.lets.entries) {
    const value = valueOf(expander.expand(node, names, issues))
    if (value === undefined) return undefined
    names.set(name, value)
  }
  return names
}

function keyOf(family: Family, binding: Binding, scope: ValueMap, reading: Reading): string | undefined {
  if (family.key !== null) {
    return plainText(reading.expander.expand(family.key, scope, reading.issues), reading.issues)
  }
  const parts = [...binding.values()].map(plain)
  if (parts.every((part) => part !== null)) return [family.name, ...parts].join('-')
  const expected = '"key" in a family whose axes hold lists or maps'
  reading.issues.add(family.place, 'has no "key", and its values cannot form one', { expected })
  return undefined
}

function plain(value: Value): string | null {
  return value !== null && typeof value === 'object' ? null : String(value)
}
