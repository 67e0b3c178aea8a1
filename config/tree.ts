import { isList, isMap, type Value } from './expression/index.ts'
import type { IssueList, Place } from './issues.ts'

/** YAML with the position of every value. Expansion keeps the positions, so that issues can point at them. */
export type Node = ScalarNode | ListNode | MapNode | InvalidNode

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly place: Place
  readonly value: string | number | boolean | null
  /** As written in the file; null when an expression computed it. */
  readonly source: string | null
}
export interface ListNode {
  readonly kind: 'list'
  readonly place: Place
  readonly items: readonly Node[]
}
export interface MapNode {
  readonly kind: 'map'
  readonly place: Place
  readonly entries: ReadonlyMap<string, Entry>
}
/** Already reported as an issue: readers ignore it. */
export interface InvalidNode {
  readonly kind: 'invalid'
  readonly place: Place
}

export interface Entry {
  readonly keyPlace: Place
  readonly node: Node
}

export function emptyMap(place: Place): MapNode {
  return { kind: 'map', place, entries: new Map() }
}

export function invalid(place: Place): InvalidNode {
  return { kind: 'invalid', place }
}

/** A computed value as a node; every part has the position of its expression. */
export function nodeOf(value: Value, place: Place): Node {
  if (isMap(value)) {
    const entries = [...value].map(([key, item]): [string, Entry] => {
      const keyPlace = { ...place, path: childPath(place.path, key) }
      return [key, { keyPlace, node: nodeOf(item, keyPlace) }]
    })
    return { kind: 'map', place, entries: new Map(entries) }
  }
  if (isList(value)) {
    const items = value.map((item, index) => nodeOf(item, { ...place, path: `${place.path}[${index}]` }))
    return { kind: 'list', place, items }
  }
  return { kind: 'scalar', place, value, source: null }
}

/** The plain data of a node; undefined when a part of it is invalid. */
export function valueOf(node: Node): Value | undefined {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'invalid':
      return undefined
    case 'list': {
      const items = node.items.map(valueOf)
      return items.every((item) => item !== undefined) ? items : undefined
    }
    case 'map': {
      const entries = [...node.entries].map(([key, entry]) => [key, valueOf(entry.node)] as const)
      return entries.every((entry): entry is [string, Value] => entry[1] !== undefined)
        ? new Map(entries)
        : undefined
    }
  }
}

export function childPath(path: string, key: string): string {
  const plain = /^[\w-]+$/.test(key)
  if (path === '') return plain ? key : `[${JSON.stringify(key)}]`
  return plain ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
}

/** What a node is, as messages say it. */
export function describeNode(node: Node): string {
  if (node.kind === 'map') return 'is a map'
  if (node.kind === 'list') return 'is a list'
  if (node.kind === 'invalid' || node.value === null) return 'is empty'
  return typeof node.value === 'string' ? 'is text' : `is ${node.value}`
}

/** The node if it is a map; otherwise adds an issue and returns undefined. */
export function asMap(node: Node, issues: IssueList, expected: string): MapNode | undefined {
  if (node.kind === 'map') return node
  if (node.kind !== 'invalid') issues.add(node.place, describeNode(node), { expected })
  return undefined
}

export function asList(node: Node, issues: IssueList, expected: string): ListNode | undefined {
  if (node.kind === 'list') return node
  if (node.kind !== 'invalid') issues.add(node.place, describeNode(node), { expected })
  return undefined
}
