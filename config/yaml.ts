import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLError,
  type Node as YamlNode,
  type YAMLMap,
} from 'yaml'
import { ConfigError, IssueList, issueAt, type Place } from './issues.ts'
import { asMap, childPath, type Entry, emptyMap, invalid, type Node } from './tree.ts'

/** Ten times the size of a file with 1,000 templates written by hand. */
const FILE_MAX_CHARACTERS = 2 ** 20
/** Counted after alias expansion, so that a few lines of nested aliases cannot exhaust memory. */
const NODES_MAX = 200_000
/** A templates file needs fewer than ten levels; this also stops at an alias that contains itself. */
const DEPTH_MAX = 50

/**
 * Parses text to a tree with the position of every value. Throws ConfigError when the text is not valid YAML; issues
 * of single nodes go to `issues`, and those nodes become invalid nodes.
 */
export function readYaml(text: string, file: string, issues: IssueList): Node {
  if (text.length > FILE_MAX_CHARACTERS) {
    throw refuse(file, 'the file is too large', `at most ${FILE_MAX_CHARACTERS} characters`)
  }
  const lines = new LineCounter()
  const document = parseYaml(text, file, lines)
  throwIfBroken(document.errors, file, lines)
  for (const warning of document.warnings)
    issues.add(placeAt(lines, warning.pos[0]), problemOf(warning.message))
  const start = { line: 1, column: 1, path: '' }
  if (document.contents === null) return emptyMap(start)
  return new Converter(file, lines, issues).convert(document.contents, '', 0)
}

function throwIfBroken(errors: readonly YAMLError[], file: string, lines: LineCounter): void {
  if (errors.length === 0) return
  const tooDeep = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION')
  if (tooDeep !== undefined) throw refuse(file, TOO_DEEP, null, tooDeep)
  const found = new IssueList(file)
  for (const { code, message, pos } of errors) {
    const problem = code === 'MULTIPLE_DOCS' ? 'the file contains a second document' : problemOf(message)
    found.add(placeAt(lines, pos[0]), problem)
  }
  throw new ConfigError(found.all(), { cause: errors[0] })
}

const TOO_DEEP = 'the file is nested too deeply'

/** `#entries` finds duplicate keys: the package compares every pair of keys, which takes minutes on a large map. */
function parseYaml(text: string, file: string, lines: LineCounter): ReturnType<typeof parseDocument> {
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: false })
  } catch (error) {
    if (error instanceof RangeError) throw refuse(file, TOO_DEEP, null, error)
    throw error
  }
}

function refuse(file: string, message: string, expected: string | null, cause?: unknown): ConfigError {
  const where = { file, line: 1, column: 1, path: '' }
  return new ConfigError([issueAt(where, message, expected === null ? {} : { expected })], { cause })
}

function problemOf(message: string): string {
  return `invalid YAML: ${message.split('\n')[0] ?? ''}`
}

function placeAt(lines: LineCounter, offset: number, path = ''): Place {
  const { line, col } = lines.linePos(offset)
  return { line, column: col, path }
}

class Converter {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #issues: IssueList
  readonly #anchors = new Map<string, YamlNode>()
  #nodes = 0

  constructor(file: string, lines: LineCounter, issues: IssueList) {
    this.#file = file
    this.#lines = lines
    this.#issues = issues
  }

  convert(yaml: YamlNode, path: string, depth: number): Node {
    const place = placeAt(this.#lines, yaml.range?.[0] ?? 0, path)
    this.#nodes += 1
    if (this.#nodes > NODES_MAX) {
      throw refuse(
        this.#file,
        'the file is too large after its aliases are expanded',
        `at most ${NODES_MAX} values`,
      )
    }
    if (depth > DEPTH_MAX) return this.#invalid(place, `is nested more than ${DEPTH_MAX} levels deep`)
    if (isAlias(yaml)) {
      const target = this.#anchors.get(yaml.source)
      if (target !== undefined) return this.convert(target, path, depth + 1)
      return this.#invalid(place, `refers to the anchor "${yaml.source}", which is not defined before it`)
    }
    if ('anchor' in yaml && typeof yaml.anchor === 'string') this.#anchors.set(yaml.anchor, yaml)
    if (isMap(yaml)) return { kind: 'map', place, entries: this.#entries(yaml, path, depth) }
    if (isSeq(yaml)) return { kind: 'list', place, items: this.#items(yaml.items, place, path, depth) }
    if (isScalar(yaml)) return this.#scalar(yaml.value, yaml.source, place)
    return this.#invalid(place, 'is not plain data')
  }

  #scalar(value: unknown, source: unknown, place: Place): Node {
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean'
    ) {
      return { kind: 'scalar', place, value, source: typeof source === 'string' ? source : null }
    }
    return this.#invalid(place, 'is not plain data', 'text, a number, true or false')
  }

  #items(items: readonly unknown[], place: Place, path: string, depth: number): readonly Node[] {
    return items.map((item, index) => {
      const itemPath = `${path}[${index}]`
      return isNode(item) ? this.convert(item, itemPath, depth + 1) : nothing({ ...place, path: itemPath })
    })
  }

  #entries(map: YAMLMap, path: string, depth: number): ReadonlyMap<string, Entry> {
    const own = new Map<string, Entry>()
    const merged = new Map<string, Entry>()
    for (const pair of map.items) {
      const key = this.#key(pair.key, path)
      if (key === null) continue
      const node = isNode(pair.value)
        ? this.convert(pair.value, key.isMerge ? path : key.place.path, depth + 1)
        : nothing(key.place)
      if (key.isMerge) this.#merge(node, merged)
      else if (own.has(key.name)) this.#issues.add(key.place, 'is a duplicate key', UNIQUE)
      else own.set(key.name, { keyPlace: key.place, node })
    }
    for (const [name, entry] of merged) if (!own.has(name)) own.set(name, entry)
    return own
  }

  #key(key: unknown, path: string): { name: string; place: Place; isMerge: boolean } | null {
    const target = isAlias(key) ? this.#anchors.get(key.source) : key
    const place = placeAt(this.#lines, (isNode(key) ? key.range?.[0] : undefined) ?? 0, path)
    const name = isScalar(target) ? keyText(target.value) : null
    if (name !== null && isScalar(target)) {
      if (isScalar(key) && typeof key.anchor === 'string') this.#anchors.set(key.anchor, key)
      const isMerge = name === '<<' && target.type === 'PLAIN'
      return { name, isMerge, place: { ...place, path: childPath(path, name) } }
    }
    this.#issues.add(place, 'has a key that is not plain text')
    return null
  }

  /** Merges `<<: *anchor`, or a list of anchors: own keys win over merged keys, earlier maps over later ones. */
  #merge(node: Node, into: Map<string, Entry>): void {
    for (const source of node.kind === 'list' ? node.items : [node]) {
      const map = asMap(source, this.#issues, 'a map to merge, or a list of maps')
      for (const [name, entry] of map?.entries ?? []) if (!into.has(name)) into.set(name, entry)
    }
  }

  #invalid(place: Place, message: string, expected?: string): Node {
    this.#issues.add(place, message, expected === undefined ? {} : { expected })
    return invalid(place)
  }
}

const UNIQUE = { expected: 'each key once in a map' }

function keyText(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function nothing(place: Place): Node {
  return { kind: 'scalar', place, value: null, source: null }
}

function isNode(value: unknown): value is YamlNode {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value)
}
