import type { Template } from '../../core/model/index.ts'
import { type ValueMap, hasExpression } from '../expression/index.ts'
import { type Issue, IssueList, quote } from '../issues.ts'
import { asMap, childPath, emptyMap, type MapNode, type Node, valueOf } from '../tree.ts'
import { readYaml } from '../yaml.ts'
import type { Reading } from './axes.ts'
import { Expander } from './expand.ts'
import { type Draft, expandFamily, readFamilies } from './matrix.ts'
import { rejectUnknownKeys } from './readers.ts'
import { DEFAULTS, readTemplate, type TemplateDefaults } from './template.ts'

export interface ParsedTemplates {
  /** The section `templates` first, then each family of the matrix, in file order. */
  readonly templates: readonly Template[]
  readonly warnings: readonly Issue[]
}

/**
 * Parses a templates file: merges defaults, expands matrices, evaluates expressions. Messages call the file `file`.
 * Throws ConfigError with all issues of the file.
 */
export function parseTemplates(
  text: string,
  file: string,
  options: Partial<TemplateDefaults> = {},
): ParsedTemplates {
  const issues = new IssueList(file)
  const warnings = new IssueList(file)
  const { vars, defaults, templates, matrix } = readSections(readYaml(text, file, issues), issues)
  const scope: ValueMap = new Map([['vars', readVars(vars, issues)]])
  const reading: Reading = { expander: new Expander(file), scope, issues, warnings }
  const byHand = expandByHand(templates, defaults, reading)
  const drafts = [...byHand, ...expandMatrix(matrix, defaults, byHand, reading)]
  const used = { ...DEFAULTS, ...options }
  const read = drafts.map((draft) => readTemplate(draft, used))
  issues.throwIfAny()
  if (read.length === 0) {
    const expected = 'at least one template under "templates" or "matrix"'
    issues.add({ line: 1, column: 1, path: '' }, 'the file defines no template', { expected })
    issues.throwIfAny()
  }
  return { templates: read.filter((template) => template !== undefined), warnings: warnings.all() }
}

export const SECTIONS = ['vars', 'defaults', 'templates', 'matrix'] as const

function readSections(root: Node, issues: IssueList): Record<(typeof SECTIONS)[number], MapNode> {
  const map = asMap(root, issues, `a map of ${SECTIONS.join(', ')}`) ?? emptyMap(root.place)
  rejectUnknownKeys(map, SECTIONS, issues)
  const section = (name: string): MapNode => {
    const node = map.entries.get(name)?.node
    const isEmpty = node === undefined || (node.kind === 'scalar' && node.value === null)
    return (isEmpty ? undefined : asMap(node, issues, 'a map')) ?? emptyMap(root.place)
  }
  return {
    vars: section('vars'),
    defaults: section('defaults'),
    templates: section('templates'),
    matrix: section('matrix'),
  }
}

function readVars(vars: MapNode, issues: IssueList): ValueMap {
  reportExpressions(vars, issues)
  const value = valueOf(vars)
  return value instanceof Map ? (value as ValueMap) : new Map()
}

/** Expressions inside `vars` are not evaluated: without this report they would silently stay text. */
function reportExpressions(node: Node, issues: IssueList): void {
  if (node.kind === 'map')
    for (const { node: child } of node.entries.values()) reportExpressions(child, issues)
  if (node.kind === 'list') for (const child of node.items) reportExpressions(child, issues)
  if (node.kind === 'scalar' && typeof node.value === 'string' && hasExpression(node.value)) {
    issues.add(node.place, 'contains an expression, but vars are not evaluated', { expected: 'plain data' })
  }
}

function expandByHand(templates: MapNode, defaults: MapNode, reading: Reading): readonly Draft[] {
  const { expander, scope, issues } = reading
  return [...templates.entries].map(([key, { keyPlace, node }]) => {
    return { key, place: keyPlace, node: expander.expandOver(defaults, node, scope, issues), issues }
  })
}

/** All drafts of the matrix, except those whose key `templates` also has. Keys are unique over all families. */
function expandMatrix(
  matrix: MapNode,
  defaults: MapNode,
  byHand: readonly Draft[],
  reading: Reading,
): readonly Draft[] {
  const handPlaces = new Map(byHand.map((draft) => [draft.key, draft.place]))
  const makers = new Map<string, string>()
  const kept: Draft[] = []
  for (const family of readFamilies(matrix, reading)) {
    for (const draft of expandFamily(family, defaults, reading)) {
      const maker = makers.get(draft.key)
      const handPlace = handPlaces.get(draft.key)
      if (maker !== undefined) {
        const path = childPath(draft.place.path, 'key')
        const message = `the key ${quote(draft.key)} is already made by the family ${maker}`
        draft.issues.add({ ...draft.place, path }, message, {
          expected: 'keys that are unique in the file',
        })
      } else if (handPlace !== undefined) {
        reading.warnings.add(handPlace, `is also made by the family ${family.name}; this one wins`)
      } else {
        kept.push(draft)
      }
      makers.set(draft.key, family.name)
    }
  }
  return kept
}
