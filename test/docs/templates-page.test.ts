import { describe, expect, it } from 'vitest'
import { parseTemplates } from '../../config/index.ts'
import { FIELD_NAMES } from '../../config/templates/fields.ts'
import { FAMILY_KEYS } from '../../config/templates/matrix.ts'
import { SECTIONS } from '../../config/templates/parse.ts'
import { readRepository } from '../tidy/repository-files.ts'

const files = readRepository()
const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? ''

/** Blocks of YAML in a page, each with the line that it begins at. */
function yamlBlocks(page: string): { line: number; yaml: string }[] {
  return [...page.matchAll(/^```ya?ml\n([\s\S]*?)^```$/gm)].map(({ 1: yaml = '', index }) => ({
    line: page.slice(0, index).split('\n').length + 1,
    yaml,
  }))
}

const EXAMPLES = ['README.md', 'docs/templates.md'].flatMap((path) =>
  yamlBlocks(textOf(path)).map(({ line, yaml }) => [`${path}:${line}`, yaml] as const),
)
const keysOf = (yaml: string) => parseTemplates(yaml, 'example').templates.map(({ key }) => key)

describe('docs/templates.md', () => {
  it.each(EXAMPLES)('has an example that is a whole templates file: %s', (place, yaml) => {
    const { templates, warnings } = parseTemplates(yaml, place)
    expect(templates.length).toBeGreaterThan(0)
    expect(warnings).toEqual([])
  })

  it('has examples, and one that is wrong would be noticed', () => {
    expect(EXAMPLES.length).toBeGreaterThanOrEqual(7)
    const [, yaml] = EXAMPLES[0]!
    expect(() => keysOf(yaml.replace('memory:', 'memry:'))).toThrow('memry')
  })

  it.each([
    ['section', SECTIONS],
    ['key of a template', FIELD_NAMES],
    ['key of a family', FAMILY_KEYS],
  ] as const)('has a row for each %s', (_, names) => {
    const rows = textOf('docs/templates.md').matchAll(/^\| \[?`([a-z_]+)`/gm)
    const documented = new Set(Array.from(rows, ([, name]) => name))
    expect(names.filter((name) => !documented.has(name))).toEqual([])
  })

  it('shows every key of a template and of a family in an example', () => {
    const all = EXAMPLES.map(([, yaml]) => yaml).join('\n')
    const isShown = (name: string) => new RegExp(`(^|[ {])${name}:`, 'm').test(all)
    expect([...SECTIONS, ...FIELD_NAMES, ...FAMILY_KEYS].filter((name) => !isShown(name))).toEqual([])
  })

  it('says rightly which templates its matrix makes', () => {
    const page = textOf('docs/templates.md')
    const sentence = /^This makes (.*)\.$/m.exec(page)
    const [block] = yamlBlocks(page.slice(0, sentence!.index)).slice(-1)
    const named = [...sentence![1]!.matchAll(/`([^`]+)`/g)].map(([, key]) => key)
    expect(named.toSorted()).toEqual(keysOf(block!.yaml).toSorted())
  })

  it('gives the defaults that the parser gives', () => {
    const [template] = parseTemplates(
      'templates: { a: { labels: [a], cpu: 2, memory: 1GiB, max_concurrency: 1 } }',
      'f',
    ).templates
    expect(template).toMatchObject({
      image: 'shipfox-runner:latest',
      pull: { kind: 'if-not-present' },
      env: {},
      cost: 2,
      targetConcurrency: 0,
      hosts: { kind: 'local' },
      perHost: null,
      isolation: 'runc',
      maxLifetimeMs: 3_600_000,
      stopTimeoutMs: 10_000,
      sources: { kind: 'all' },
    })
  })
})
