import { sameValue, type Value, type ValueMap } from '../expression/index.ts'
import { asList, asMap, childPath, type MapNode, type Node, valueOf } from '../tree.ts'
import type { Axis, Reading } from './axes.ts'
import { rejectUnknownKeys } from './readers.ts'

/** One value for each axis, in axis order. A partial binding has values for some axes only. */
export type Binding = ValueMap

/** How many bindings `cross` would return; checked first, because there may be too many to build. */
export function productOf(axes: readonly Axis[]): number {
  return axes.reduce((product, axis) => product * axis.values.length, 1)
}

/** Every combination; the last axis varies fastest. */
export function cross(axes: readonly Axis[]): readonly Binding[] {
  let bindings: readonly Binding[] = [new Map<string, Value>()]
  for (const { name, values } of axes) {
    bindings = bindings.flatMap((binding) => values.map((value) => new Map([...binding, [name, value]])))
  }
  return bindings
}

/** The bindings that no partial binding listed in `node` matches. A partial binding that matches none is a warning. */
export function exclude(
  bindings: readonly Binding[],
  node: Node | undefined,
  axes: readonly Axis[],
  reading: Reading,
): readonly Binding[] {
  let left = bindings
  for (const { map, binding } of readBindings(node, axes, reading)) {
    const { place } = map
    if (map.entries.size === 0) {
      reading.issues.add(place, 'would exclude everything', { expected: 'a value for at least one axis' })
    } else if (!bindings.some((candidate) => covers(binding, candidate))) {
      reading.warnings.add(place, 'excludes nothing: no combination has these values')
    }
    left = left.filter((candidate) => !covers(binding, candidate))
  }
  return left
}

function covers(partial: Binding, binding: Binding): boolean {
  return [...partial].every(([name, value]) => sameValue(value, binding.get(name) ?? null))
}

/** The complete bindings listed in `node`; a missing value is an issue. */
export function include(node: Node | undefined, axes: readonly Axis[], reading: Reading): readonly Binding[] {
  return readBindings(node, axes, reading).flatMap(({ map, binding }) => {
    for (const { name } of axes) {
      if (map.entries.has(name)) continue
      const place = { ...map.place, path: childPath(map.place.path, name) }
      reading.issues.add(place, 'is missing', { expected: 'a value for every axis' })
    }
    if (axes.some(({ name }) => !binding.has(name))) return []
    return [new Map(axes.map(({ name }) => [name, binding.get(name) ?? null]))]
  })
}

function readBindings(
  node: Node | undefined,
  axes: readonly Axis[],
  { expander, scope, issues }: Reading,
): readonly { map: MapNode; binding: Binding }[] {
  if (node === undefined) return []
  const expected = 'a list of maps from axes to values'
  const list = asList(expander.expand(node, scope, issues), issues, expected)
  const names = axes.map(({ name }) => name)
  return (list?.items ?? []).flatMap((item) => {
    const map = asMap(item, issues, 'a map from axes to values')
    if (map === undefined) return []
    rejectUnknownKeys(map, names, issues)
    const values = [...map.entries].map(([name, entry]) => [name, valueOf(entry.node)] as const)
    return [
      { map, binding: new Map(values.filter((pair): pair is [string, Value] => pair[1] !== undefined)) },
    ]
  })
}
