import {
  type Assignment,
  canonicalLabels,
  CONCURRENCY_MAX,
  HOST_RUNNERS_MAX,
  ISOLATIONS,
  LABEL_PATTERN,
  LABELS_MAX,
  NAME_PATTERN,
  type PullPolicy,
  type SourceChoice,
  type SourceId,
  sourceId,
} from '../../core/model/index.ts'
import { type IssueList, quote } from '../issues.ts'
import { nearestName } from '../nearest.ts'
import {
  parseCpuMillis,
  parsed,
  parseDurationMs,
  parseMemoryMib,
  refused,
  TIMER_MAX_SECONDS,
} from '../quantities.ts'
import { asList, asMap, type Node } from '../tree.ts'
import { readEnv } from './env.ts'
import {
  choice,
  integer,
  numberWith,
  plainText,
  type Reader,
  readItems,
  rejectUnknownKeys,
  textWith,
} from './readers.ts'

/** No registry accepts a longer name, and it must fit into a message to the agent. */
const IMAGE_MAX_CHARACTERS = 512
const IMAGE = /^[a-z0-9][\w.:/@-]*$/i
/** A runner that takes longer than this to stop hangs. */
const STOP_TIMEOUT_MAX_MS = 3_600_000
const SECOND_MS = 1000
const YEAR_MS = 365 * 24 * 3_600_000

const label: Reader<string> = (node, issues) => {
  const text = plainText(node, issues)
  if (text === undefined || LABEL_PATTERN.test(text.toLowerCase())) return text
  const expected = 'at most 128 letters, digits, ".", "_" and "-", starting with a letter or digit'
  issues.add(node.place, `${quote(text)} is not a valid label`, { expected })
  return undefined
}

const labels: Reader<readonly string[]> = (node, issues) => {
  const expected = `a list of 1 to ${LABELS_MAX} labels`
  const list = asList(node, issues, expected)
  const items = list && readItems(list, label, issues)
  if (items === undefined) return undefined
  const canonical = canonicalLabels(items)
  if (canonical.length >= 1 && canonical.length <= LABELS_MAX) return canonical
  issues.add(node.place, `has ${canonical.length} labels`, { expected })
  return undefined
}

const image = textWith('the name of an image', (text) =>
  IMAGE.test(text) && text.length <= IMAGE_MAX_CHARACTERS
    ? parsed(text)
    : refused('is not the name of an image', 'a name such as registry.example/team/runner:tag'),
)

const cost = numberWith('a number above 0', (value) =>
  value > 0 && Number.isFinite(value) ? parsed(value) : refused('is out of range', 'a number above 0'),
)

const memory: Reader<number> = (node, issues) => {
  const bare = node.kind === 'scalar' && typeof node.value === 'number'
  return textWith('an amount with a unit, such as 512MiB or 2GiB', parseMemoryMib)(
    bare ? { ...node, value: node.source ?? String(node.value) } : node,
    issues,
  )
}

function duration(minMs: number, maxMs: number): Reader<number> {
  return textWith('a time such as 30s, 10m or 24h', (text) => parseDurationMs(text, minMs, maxMs))
}

const ttl = duration(SECOND_MS, YEAR_MS)

const pull: Reader<PullPolicy> = (node, issues) => {
  if (node.kind !== 'map') {
    const expected = 'if-not-present, always, or a map such as { ttl: 24h }'
    const kind = choice(['if-not-present', 'always'], expected)(node, issues)
    return kind && { kind }
  }
  rejectUnknownKeys(node, ['ttl'], issues)
  const entry = node.entries.get('ttl')
  if (entry === undefined) {
    issues.add(node.place, 'is empty', { expected: 'a map such as { ttl: 24h }' })
    return undefined
  }
  const ttlMs = ttl(entry.node, issues)
  return ttlMs === undefined ? undefined : { kind: 'ttl', ttlMs }
}

/** `all`, or a list of at least one name. */
function allOrNames<T>(what: string, name: Reader<T>): Reader<'all' | readonly T[]> {
  const expected = `all, or a list of ${what}`
  return (node, issues) => {
    if (node.kind === 'scalar' && node.value === 'all') return 'all'
    if (node.kind === 'scalar' && typeof node.value === 'string') {
      issues.add(node.place, `is ${quote(node.value)}`, {
        expected,
        nearest: nearestName(node.value, ['all']),
      })
      return undefined
    }
    const list = asList(node, issues, expected)
    if (list?.items.length === 0) issues.add(node.place, 'is an empty list', { expected })
    return list && readItems(list, name, issues)
  }
}

function namedBy<T>(what: string, read: (text: string) => T | null): Reader<T> {
  const expected = `${what}; "all" may only replace the whole list`
  return (node, issues) => {
    const text = plainText(node, issues)
    if (text === undefined) return undefined
    const name = text === 'all' ? null : read(text)
    if (name !== null) return name
    issues.add(node.place, `is ${quote(text)}`, { expected })
    return undefined
  }
}

const hostOrTag = namedBy('a name or tag of a host, in lowercase', (text) =>
  LABEL_PATTERN.test(text) ? text : null,
)
const hostNames = allOrNames('names or tags of hosts', hostOrTag)
const hosts: Reader<Assignment> = (node, issues) => {
  const names = hostNames(node, issues)
  if (names === undefined) return undefined
  return names === 'all' ? { kind: 'all' } : { kind: 'named', namesOrTags: [...new Set(names)] }
}

const source = namedBy<SourceId>('the name of a source: lowercase letters, digits and "-"', (text) => {
  return NAME_PATTERN.test(text) ? sourceId(text) : null
})
const sourceNames = allOrNames('names of sources', source)
const sources: Reader<SourceChoice> = (node, issues) => {
  const names = sourceNames(node, issues)
  if (names === undefined) return undefined
  return names === 'all' ? { kind: 'all' } : { kind: 'named', ids: [...new Set(names)] }
}

/** Every key that a template may have, with the reader of its value. */
export const FIELDS = {
  labels,
  image,
  cpu: numberWith('a number of vCPUs, without quotes', parseCpuMillis),
  memory,
  max_concurrency: integer(0, CONCURRENCY_MAX),
  cost,
  target_concurrency: integer(0, CONCURRENCY_MAX),
  isolation: choice(ISOLATIONS),
  hosts,
  pull,
  env: readEnv,
  per_host: integer(1, HOST_RUNNERS_MAX),
  max_lifetime: duration(SECOND_MS, TIMER_MAX_SECONDS * 1000),
  stop_timeout: duration(0, STOP_TIMEOUT_MAX_MS),
  sources,
} satisfies Record<string, Reader<unknown>>

export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS)

type FieldName = keyof typeof FIELDS
export type Fields = { [K in FieldName]?: Exclude<ReturnType<(typeof FIELDS)[K]>, undefined> }

function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(FIELDS, name)
}

/** Reads each known key with a valid value; all other keys are reported. */
export function readFields(node: Node, issues: IssueList): Fields {
  const map = asMap(node, issues, 'a map of template keys')
  if (map === undefined) return {}
  rejectUnknownKeys(map, FIELD_NAMES, issues)
  const values: [string, unknown][] = []
  for (const [name, entry] of map.entries) {
    const value = isFieldName(name) ? FIELDS[name](entry.node, issues) : undefined
    if (value !== undefined) values.push([name, value])
  }
  // Each value comes from the reader of its own name, so the object has the type Fields.
  return Object.fromEntries(values)
}
