import { ExpressionError, evaluateText, hasExpression, sizeOf, type ValueMap } from '../expression/index.ts'
import { ConfigError, type MistakeList, mistake } from '../mistakes.ts'
import { type Entry, invalid, type MapNode, type Node, nodeOf, type ScalarNode } from '../tree.ts'

/** Ten times what 10,000 ordinary templates take; ends a file that multiplies itself before memory does. */
const WORK_MAX = 2_000_000

/** Puts values into the place of expressions, and counts the work of a whole file. */
export class Expander {
  readonly #file: string
  #work = 0

  constructor(file: string) {
    this.#file = file
  }

  /** A copy in which every expression is evaluated; one that fails is a mistake and an invalid node. */
  expand(node: Node, scope: ValueMap, mistakes: MistakeList): Node {
    this.#spend(1, node)
    switch (node.kind) {
      case 'invalid':
        return node
      case 'scalar':
        return this.#scalar(node, scope, mistakes)
      case 'list':
        return { ...node, items: node.items.map((item) => this.expand(item, scope, mistakes)) }
      case 'map':
        return this.#map(node, (entry) => this.expand(entry.node, scope, mistakes))
    }
  }

  /**
   * `own` over `defaults`: maps deep, lists and scalars replaced whole. A default that is replaced isn't
   * evaluated, so it may use names that only other templates have.
   */
  expandOver(defaults: MapNode, own: Node, scope: ValueMap, mistakes: MistakeList): Node {
    const expanded = this.expand(own, scope, mistakes)
    return expanded.kind === 'map' ? this.#under(defaults, expanded, scope, mistakes) : expanded
  }

  #under(defaults: MapNode, own: MapNode, scope: ValueMap, mistakes: MistakeList): MapNode {
    const entries = new Map(own.entries)
    for (const [name, { keyPlace, node }] of defaults.entries) {
      const mine = entries.get(name)
      if (mine === undefined) entries.set(name, { keyPlace, node: this.expand(node, scope, mistakes) })
      else if (mine.node.kind === 'map') {
        const base = node.kind === 'map' ? node : this.expand(node, scope, mistakes)
        if (base.kind !== 'map') continue
        // A default map that an expression made is plain data by now, and text in it isn't evaluated twice.
        const merged =
          node === base ? this.#under(base, mine.node, scope, mistakes) : overlay(base, mine.node)
        entries.set(name, { ...mine, node: merged })
      }
    }
    return { ...own, entries }
  }

  #scalar(node: ScalarNode, scope: ValueMap, mistakes: MistakeList): Node {
    if (typeof node.value !== 'string') return node
    if (!hasExpression(node.value)) {
      this.#spend(sizeOf(node.value, WORK_MAX), node)
      return node
    }
    try {
      const value = evaluateText(node.value, scope)
      this.#spend(sizeOf(value, WORK_MAX), node)
      return nodeOf(value, node.place)
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      const { expected, nearest } = error
      mistakes.add(node.place, error.message, expected === undefined ? { nearest } : { expected, nearest })
      return invalid(node.place)
    }
  }

  #map(map: MapNode, expandEntry: (entry: Entry) => Node): MapNode {
    const entries = [...map.entries].map(([name, entry]): [string, Entry] => {
      return [name, { keyPlace: entry.keyPlace, node: expandEntry(entry) }]
    })
    return { ...map, entries: new Map(entries) }
  }

  #spend(work: number, { place }: Node): void {
    this.#work += work
    if (this.#work <= WORK_MAX) return
    const hint = { expected: 'fewer combinations or smaller templates' }
    throw new ConfigError([
      mistake({ file: this.#file, ...place }, 'makes the file expand to too much', hint),
    ])
  }
}

function overlay(base: MapNode, own: MapNode): MapNode {
  const entries = new Map(base.entries)
  for (const [name, entry] of own.entries) {
    const below = entries.get(name)?.node
    const deep = below?.kind === 'map' && entry.node.kind === 'map'
    entries.set(name, deep ? { ...entry, node: overlay(below, entry.node) } : entry)
  }
  return { ...own, entries }
}
