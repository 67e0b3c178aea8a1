import { ExpressionError, evaluateText, hasExpression, sizeOf, type ValueMap } from '../expression/index.ts'
import { ConfigError, type IssueList, issueAt } from '../issues.ts'
import { type Entry, invalid, type MapNode, type Node, nodeOf, type ScalarNode } from '../tree.ts'

/** Ten times what 10,000 ordinary templates need; stops a file that expands exponentially before memory runs out. */
const WORK_MAX = 2_000_000

/** Replaces expressions by their values, and bounds the work for a whole file. */
export class Expander {
  readonly #file: string
  #work = 0

  constructor(file: string) {
    this.#file = file
  }

  /** A copy with every expression evaluated. One that fails is reported as an issue and becomes an invalid node. */
  expand(node: Node, scope: ValueMap, issues: IssueList): Node {
    this.#spend(1, node)
    switch (node.kind) {
      case 'invalid':
        return node
      case 'scalar':
        return this.#scalar(node, scope, issues)
      case 'list':
        return { ...node, items: node.items.map((item) => this.expand(item, scope, issues)) }
      case 'map':
        return this.#map(node, (entry) => this.expand(entry.node, scope, issues))
    }
  }

  /**
   * Merges `own` over `defaults`: maps key by key, lists and scalars as a whole. A default that is replaced is not
   * evaluated, so it may use names that only other templates have.
   */
  expandOver(defaults: MapNode, own: Node, scope: ValueMap, issues: IssueList): Node {
    const expanded = this.expand(own, scope, issues)
    return expanded.kind === 'map' ? this.#under(defaults, expanded, scope, issues) : expanded
  }

  #under(defaults: MapNode, own: MapNode, scope: ValueMap, issues: IssueList): MapNode {
    const entries = new Map(own.entries)
    for (const [name, { keyPlace, node }] of defaults.entries) {
      const mine = entries.get(name)
      if (mine === undefined) entries.set(name, { keyPlace, node: this.expand(node, scope, issues) })
      else if (mine.node.kind === 'map') {
        const base = node.kind === 'map' ? node : this.expand(node, scope, issues)
        if (base.kind !== 'map') continue
        // If an expression computed the default map, that map is plain data: its texts must not be evaluated again.
        const merged = node === base ? this.#under(base, mine.node, scope, issues) : overlay(base, mine.node)
        entries.set(name, { ...mine, node: merged })
      }
    }
    return { ...own, entries }
  }

  #scalar(node: ScalarNode, scope: ValueMap, issues: IssueList): Node {
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
      issues.add(node.place, error.message, expected === undefined ? { nearest } : { expected, nearest })
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
      issueAt({ file: this.#file, ...place }, 'makes the file expand beyond the limit', hint),
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
