import { describe, expect, it } from 'vitest'
import { parseTemplates } from '../../config/index.ts'
import { issuesOf, templateYaml } from './yaml-text.ts'

describe('the YAML of a templates file', () => {
  it('may use anchors, aliases and merge keys', () => {
    const { templates } = parseTemplates(
      [
        'vars: { base: &base { cpu: 1, memory: 1g }, big: &big { cpu: 4, max_concurrency: 9 } }',
        'templates:',
        '  one: { <<: *base, labels: &labels [a, b], max_concurrency: 1 }',
        '  two: { <<: [*big, *base], labels: *labels, memory: 2g }',
      ].join('\n'),
      'f',
    )
    expect(templates).toMatchObject([
      { labels: ['a', 'b'], size: { cpuMillis: 1000, memoryMib: 1024 }, maxConcurrency: 1 },
      { labels: ['a', 'b'], size: { cpuMillis: 4000, memoryMib: 2048 }, maxConcurrency: 9 },
    ])
  })

  it('points at the anchored value when an alias brings an issue', () => {
    const text = `vars: { cpu: &cpu 0 }\ntemplates:\n  one: ${templateYaml({ cpu: '*cpu' })}`
    expect(issuesOf(text)).toMatchObject([{ line: 1, column: 19, path: 'templates.one.cpu' }])
  })

  it.each<[string, number, number, RegExp]>([
    ['templates: [1', 1, 14, /invalid YAML/],
    ['templates:\n\tone: 1', 2, 1, /Tabs/],
    ['templates: "\\q"', 1, 13, /escape/],
    ['templates: {}\n---\ntemplates: {}', 2, 1, /second document/],
    ['templates: *nowhere', 1, 12, /anchor "nowhere"/],
    ['templates: !secret x', 1, 12, /tag/i],
    ['? [a]\n: 1', 1, 3, /key that is not plain text/],
    ['<<: 3', 1, 5, /is 3/],
  ])('%j is refused at %i:%i', (text, line, column, message) => {
    expect(issuesOf(text)[0]).toMatchObject({ line, column, message: expect.stringMatching(message) })
  })

  it('has each key once: a duplicate is reported where it stands, beside all other issues', () => {
    const text = [
      'templates:',
      '  one:',
      '    cpu: 1',
      '    cpu: 2',
      '    labels: [a]',
      '    memory: 1g',
      '    max_concurrency: -1',
      '  one: {}',
    ].join('\n')
    expect(issuesOf(text).map(({ line, column, path }) => [line, column, path])).toEqual([
      [4, 5, 'templates.one.cpu'],
      [7, 22, 'templates.one.max_concurrency'],
      [8, 3, 'templates.one'],
    ])
  })

  it('cannot fill the memory by nested aliases', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 10; level += 1) {
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`)
    }
    expect(issuesOf(lines.join('\n'))).toMatchObject([
      { message: expect.stringContaining('too large after its aliases are expanded') },
    ])
  })

  it('cannot be nested without end, by an alias in itself or by brackets', () => {
    expect(issuesOf('vars: &vars { self: *vars }')[0]?.message).toMatch(/50 levels/)
    expect(issuesOf(`vars: { a: ${'['.repeat(100)}${']'.repeat(100)} }`)[0]?.message).toMatch(/50 levels/)
    for (const text of ['['.repeat(100_000), '- '.repeat(100_000), '{a: '.repeat(50_000)]) {
      expect(issuesOf(text)).toMatchObject([{ message: 'the file is nested too deeply' }])
    }
  })

  it('is bounded in size', () => {
    expect(issuesOf('#'.repeat(2 ** 20 + 1))).toMatchObject([{ message: 'the file is too large' }])
  })

  it('is read fast even as one map of 100,000 keys', () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`)
    expect(issuesOf(`vars: { ${keys.join(', ')} }`)).toHaveLength(1)
  })
})
