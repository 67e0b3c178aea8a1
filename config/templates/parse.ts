import type { Template } from '../../core/model/index.ts'
import { type ValueMap, hasExpression } from '../expression/index.ts'
import { type Mistake, MistakeList, quote } from '../mistakes.ts'
import { asMap, childPath, emptyMap, type MapNode, type Node, valueOf } from '../tree.ts'
import { readYaml } from '../yaml.ts'
import type { Reading } from './axes.ts'
import { Expander } from './expand.ts'
import { type Draft, expandFamily, readFamilies } from './matrix.ts'
import { rejectUnknownKeys } from './readers.ts'
import { DEFAULTS, readTemplate, type TemplateDefaults } from './template.ts'

export interface ParsedTemplates {
  /** Those written by hand first, then each family of the matrix, in the order of the file. */
  readonly templates: readonly Template[]
  readonly warnings: readonly Mistake[]
}

/**
 * A templates file to templates: defaults merged, matrices expanded, expressions evaluated. `file` is
 * its name in messages. Throws ConfigError with every mistake of the file at once.
 */
export function parseTemplates(
  text: string,
  file: string,
  options: Partial<TemplateDefaults> = {},
): ParsedTemplates {
  const mistakes = new MistakeList(file)
  const warnings = new MistakeList(file)
  const { vars, defaults, templates, matrix } = readSections(readYaml(text, file, mistakes), mistakes)
  const scope: ValueMap = new Map([['vars', readVars(vars, mistakes)]])
  const reading: Reading = { expander: new Expander(file), scope, mistakes, warnings }
  const byHand = expandByHand(templates, defaults, reading)
  const drafts = [...byHand, ...expandMatrix(matrix, defaults, byHand, reading)]
  const used = { ...DEFAULTS, ...options }
  const read = drafts.map((draft) => readTemplate(draft, used))
  mistakes.throwIfAny()
  if (read.length === 0) {
    const expected = 'at least one template under "templates" or "matrix"'
    mistakes.add({ line: 1, column: 1, path: '' }, 'the file makes no template', { expected })
    mistakes.throwIfAny()
  }
  return { templates: read.filter((template) => template !== undefined), warnings: warnings.all() }
}

export const SECTIONS = ['vars', 'defaults', 'templates', 'matrix'] as const

function readSections(root: Node, mistakes: MistakeList): Record<(typeof SECTIONS)[number], MapNode> {
  const map = asMap(root, mistakes, `a map of ${SECTIONS.join(', ')}`) ?? emptyMap(root.place)
  rejectUnknownKeys(map, SECTIONS, mistakes)
  const section = (name: string): MapNode => {
    const node = map.entries.get(name)?.node
    const isEmpty = node === undefined || (node.kind === 'scalar' && node.value === null)
    return (isEmpty ? undefined : asMap(node, mistakes, 'a map')) ?? emptyMap(root.place)
  }
  return {
    vars: section('vars'),
    defaults: section('defaults'),
    templates: section('templates'),
    matrix: section('matrix'),
  }
}

function readVars(vars: MapNode, mistakes: MistakeList): ValueMap {
  reportExpressions(vars, mistakes)
  const value = valueOf(vars)
  return value instanceof Map ? (value as ValueMap) : new Map()
}

/** `vars` is data that expressions look up; one inside it would silently stay text. */
function reportExpressions(node: Node, mistakes: MistakeList): void {
  if (node.kind === 'map')
    for (const { node: child } of node.entries.values()) reportExpressions(child, mistakes)
  if (node.kind === 'list') for (const child of node.items) reportExpressions(child, mistakes)
  if (node.kind === 'scalar' && typeof node.value === 'string' && hasExpression(node.value)) {
    mistakes.add(node.place, 'holds an expression, but vars are not evaluated', { expected: 'plain data' })
  }
}

function expandByHand(templates: MapNode, defaults: MapNode, reading: Reading): readonly Draft[] {
  const { expander, scope, mistakes } = reading
  return [...templates.entries].map(([key, { keyPlace, node }]) => {
    return { key, place: keyPlace, node: expander.expandOver(defaults, node, scope, mistakes), mistakes }
  })
}

/** Without what is also written by hand. Keys are unique over all families. */
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
        draft.mistakes.add({ ...draft.place, path }, message, {
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
