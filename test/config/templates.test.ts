import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkTemplateCount, ConfigError, DEFAULT_RUNNER_IMAGE, parseTemplates } from '../../config/index.ts'
import { LABEL_PATTERN } from '../../core/model/index.ts'
import { configErrorOf, issueIn, issuesOf, oneTemplate, templateYaml, thrownBy } from './yaml-text.ts'

const TOKEN = `sf_pt_${'aB3_-'.repeat(8)}xyz`

describe('a template', () => {
  it('has its documented defaults', () => {
    expect(oneTemplate({ cpu: '1.5' })).toEqual({
      key: 'one',
      labels: ['docker'],
      image: DEFAULT_RUNNER_IMAGE,
      pull: { kind: 'if-not-present' },
      size: { cpuMillis: 1500, memoryMib: 2048 },
      maxConcurrency: 2,
      targetConcurrency: 0,
      cost: 1.5,
      isolation: 'runc',
      hosts: { kind: 'local' },
      perHost: null,
      env: {},
      maxLifetimeMs: 3_600_000,
      stopTimeoutMs: 10_000,
      sources: { kind: 'all' },
    })
  })

  it('takes defaults from the caller', () => {
    const text = `templates:\n  one: ${templateYaml()}`
    const { templates } = parseTemplates(text, 'f', { defaultMaxLifetimeMs: 5000, defaultImage: 'mine:1' })
    expect(templates[0]).toMatchObject({ maxLifetimeMs: 5000, image: 'mine:1', stopTimeoutMs: 10_000 })
  })

  it('takes every key', () => {
    const template = oneTemplate({
      labels: '[Docker, GPU, docker]',
      image: 'registry.example:5000/team/runner@sha256:0123456789abcdef',
      cost: '0.5',
      target_concurrency: '1',
      isolation: 'sysbox',
      hosts: '[build-1, gpu]',
      pull: '{ ttl: 24h }',
      env: '{ LANG: C.UTF-8, PORT: 8080, EMPTY: "" }',
      per_host: '3',
      max_lifetime: '2h',
      stop_timeout: '0s',
      sources: '[shipfox, github]',
    })
    expect(template).toMatchObject({
      labels: ['docker', 'gpu'],
      image: 'registry.example:5000/team/runner@sha256:0123456789abcdef',
      cost: 0.5,
      targetConcurrency: 1,
      isolation: 'sysbox',
      hosts: { kind: 'named', namesOrTags: ['build-1', 'gpu'] },
      pull: { kind: 'ttl', ttlMs: 86_400_000 },
      env: { LANG: 'C.UTF-8', PORT: '8080', EMPTY: '' },
      perHost: 3,
      maxLifetimeMs: 7_200_000,
      stopTimeoutMs: 0,
      sources: { kind: 'named', ids: ['shipfox', 'github'] },
    })
  })

  it.each([
    ['2GiB', 2048],
    ['2g', 2048],
    ['2G', 2048],
    ['2GB', 2048],
    ['2Gi', 2048],
    ['1.5 GiB', 1536],
    ['512MiB', 512],
    ['512m', 512],
    ['524288k', 512],
    ['524288kB', 512],
    ['524288KiB', 512],
    ['536870912b', 512],
    ['536870912', 512],
    ['"536870912"', 512],
    ['1t', 1_048_576],
    ['6m', 6],
  ])('with memory %s gets %i MiB', (memory, mib) => {
    expect(oneTemplate({ memory }).size.memoryMib).toBe(mib)
  })

  it.each([
    ['2', 'has no unit'],
    ['2048', 'has no unit'],
    ['5m', 'less than Docker allows'],
    ['65t', 'more than any machine has'],
    ['2 gigs', 'is not an amount'],
    ['-2g', 'is not an amount'],
    ['2e9', 'is not an amount'],
    ['.inf', 'is not an amount'],
    ['true', 'is true'],
    ['', 'is missing'],
  ])('with memory %s is refused', (memory, message) => {
    expect(issueIn({ memory })).toMatchObject({ path: 'templates.one.memory' })
    expect(issueIn({ memory }).message).toContain(message)
  })

  it.each(['0', '-1', '0.001', '0.0001', '1.0005', '5000', '.nan', '.inf', '"2"', '[1]', 'many'])(
    'with cpu %s is refused',
    (cpu) => {
      expect(issueIn({ cpu })).toMatchObject({ path: 'templates.one.cpu', line: 2 })
    },
  )

  it('keeps thousandths of a vCPU exact', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 4_096_000 }), (millis) => {
        expect(oneTemplate({ cpu: String(millis / 1000) }).size.cpuMillis).toBe(millis)
      }),
    )
  })

  it.each<[string, string]>([
    ['labels', '[]'],
    ['labels', 'docker'],
    ['labels', '[a b]'],
    ['labels', '[-a]'],
    ['labels', '[true]'],
    ['labels', '[24.10]'],
    ['image', '""'],
    ['image', '"a b"'],
    ['image', '-x'],
    ['image', '7'],
    ['max_concurrency', '-1'],
    ['max_concurrency', '1.5'],
    ['max_concurrency', '100001'],
    ['max_concurrency', '"2"'],
    ['target_concurrency', '3'],
    ['cost', '0'],
    ['cost', '-1'],
    ['cost', '.inf'],
    ['cost', 'cheap'],
    ['isolation', 'gvisor'],
    ['hosts', 'build-1'],
    ['hosts', '[]'],
    ['hosts', '[all]'],
    ['hosts', '[Build-1]'],
    ['sources', '[]'],
    ['sources', '[Shipfox]'],
    ['sources', 'shipfox'],
    ['pull', 'never'],
    ['pull', '{}'],
    ['pull', '{ ttl: 0s }'],
    ['pull', '{ ttl: 24 }'],
    ['pull', '{ tll: 24h, ttl: 24h }'],
    ['per_host', '0'],
    ['per_host', '501'],
    ['max_lifetime', '0s'],
    ['max_lifetime', '30d'],
    ['max_lifetime', '60'],
    ['max_lifetime', '1h30m'],
    ['stop_timeout', '2h'],
    ['env', '[A]'],
    ['env', '{ "A B": x }'],
    ['env', '{ 1A: x }'],
    ['env', '{ SHIPFOX_API_URL: x }'],
    ['env', '{ slipway_nonce: x }'],
    ['env', '{ A: true }'],
    ['env', '{ A: null }'],
    ['env', '{ A: 0x10 }'],
    ['env', '{ A: "\\0" }'],
    ['env', `{ A: ${TOKEN} }`],
  ])('with %s: %s is refused, once, at that key', (key, value) => {
    const issue = issueIn({ [key]: value })
    expect(issue.path).toMatch(new RegExp(`^templates\\.one\\.${key}`))
    expect(issue.expected ?? issue.message).not.toBe('')
  })

  it.each<[string, string, string]>([
    ['a label of 129 characters', 'labels', `[${'a'.repeat(129)}]`],
    ['21 labels', 'labels', `[${Array.from({ length: 21 }, (_, index) => `l${index}`).join(', ')}]`],
    ['an image of 513 characters', 'image', 'a'.repeat(513)],
    ['an env that fits into no message', 'env', `{ A: ${'x'.repeat(16_384)} }`],
  ])('with %s is refused', (_, key, value) => {
    const issue = issueIn({ [key]: value })
    expect(issue.path).toMatch(new RegExp(`^templates\\.one\\.${key}`))
    expect(issue.message.length).toBeLessThan(120)
  })

  it('never shows a value of env', () => {
    const canary = 'hunter2-canary'
    for (const env of [
      `{ "A B": ${canary} }`,
      `{ SHIPFOX_A: ${canary} }`,
      `{ A: "${canary}\\0" }`,
      `{ A: ${canary + TOKEN} }`,
    ]) {
      expect(JSON.stringify(issueIn({ env }))).not.toContain(canary)
    }
  })

  it('takes exactly the labels that the wire takes, in lowercase', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 140, unit: 'binary-ascii' }), (label) => {
        const labels = `[${JSON.stringify(label)}]`
        const taken = thrownBy(() => oneTemplate({ labels })) === null
        expect(taken).toBe(LABEL_PATTERN.test(label.toLowerCase()))
      }),
    )
  })

  it('has a key of 1 to 255 characters without control characters', () => {
    const at = (key: string) => `templates:\n  ${JSON.stringify(key)}: ${templateYaml()}\n`
    expect(parseTemplates(at('k'.repeat(255)), 'f').templates).toHaveLength(1)
    for (const key of ['', 'k'.repeat(256), 'a\nb']) expect(issuesOf(at(key))).toHaveLength(1)
  })
})

describe('defaults', () => {
  it('stand under every template: maps deep, lists and scalars replaced whole', () => {
    const { templates } = parseTemplates(
      [
        'defaults:',
        '  labels: [a, b]',
        '  cpu: 2',
        '  env: { A: "1", B: "2" }',
        '  pull: { ttl: 1h }',
        'templates:',
        '  one: { memory: 1g, max_concurrency: 1 }',
        '  two: { labels: [c], memory: 1g, max_concurrency: 1, env: { B: "3", C: "4" }, pull: always }',
      ].join('\n'),
      'f',
    )
    expect(templates).toMatchObject([
      { labels: ['a', 'b'], env: { A: '1', B: '2' }, pull: { kind: 'ttl', ttlMs: 3_600_000 } },
      { labels: ['c'], env: { A: '1', B: '3', C: '4' }, pull: { kind: 'always' }, size: { cpuMillis: 2000 } },
    ])
  })

  it('report an issue once, where it stands, however many templates have it', () => {
    const issues = issuesOf(
      `defaults: { isolation: sysbx }\ntemplates:\n  one: ${templateYaml()}\n  two: ${templateYaml()}\n`,
    )
    expect(issues).toMatchObject([{ line: 1, column: 24, path: 'defaults.isolation', nearest: 'sysbox' }])
  })

  it('are not evaluated where a template replaces them', () => {
    const text = (image: string) =>
      [
        'defaults: { image: "runner:${{ os }}" }',
        `templates:\n  one: ${templateYaml({ image })}`,
        `matrix:\n  m: { axes: { os: [a] }, template: ${templateYaml()} }`,
      ].join('\n')
    expect(parseTemplates(text('mine:1'), 'f').templates.map(({ image }) => image)).toEqual([
      'mine:1',
      'runner:a',
    ])
    expect(issuesOf(text(''))).toMatchObject([{ path: 'defaults.image', message: '"os" is not known here' }])
  })

  it('merge maps that expressions make, and evaluate nothing twice', () => {
    const { templates } = parseTemplates(
      [
        'vars: { env: { A: "1", B: "2" } }',
        'defaults: { env: "${{ vars.env }}" }',
        `templates:\n  one: ${templateYaml({ env: `{ B: "\${{ '$' + '{{ x }}' }}" }` })}`,
      ].join('\n'),
      'f',
    )
    expect(templates[0]?.env).toEqual({ A: '1', B: '${{ x }}' })
  })
})

describe('a templates file', () => {
  it('with five different issues reports exactly these five, with their places', () => {
    const text = [
      'templates:',
      '  small:',
      '    labels: [docker]',
      '    cpu: 1',
      '    memory: 2GiB',
      '    max_concurency: 2',
      '  large:',
      '    labels: [docker, "no spaces"]',
      '    cpu: 4',
      '    memory: 8',
      '    max_concurrency: 2',
      'matrix:',
      '  family:',
      '    axes: { os: [a, b] }',
      '    template:',
      '      labels: ["${{ oz }}"]',
      '      cpu: 1',
      '      max_concurrency: 1',
    ].join('\n')
    const { issues, message, code } = configErrorOf(() => parseTemplates(text, 'ci/templates.yaml'))
    expect(issues.map(({ line, column, path, nearest }) => [line, column, path, nearest])).toEqual([
      [6, 5, 'templates.small.max_concurency', 'max_concurrency'],
      [8, 22, 'templates.large.labels[1]', null],
      [10, 13, 'templates.large.memory', null],
      [15, 5, 'matrix.family.template.memory', null],
      [16, 16, 'matrix.family.template.labels[0]', null],
    ])
    expect(code).toBe('config-invalid')
    expect(message.split('\n')).toHaveLength(5)
    expect(message.split('\n')[0]).toMatch(
      /^ci\/templates\.yaml:6:5 templates\.small\.max_concurency: .*; expected one of .* \(did you mean "max_concurrency"\?\)$/,
    )
    expect(message).toContain('"oz" is not known here (os=a); expected one of vars, os')
  })

  it.each([
    ['template: {}', 'template', 'templates'],
    ['defaults: {}\nvar: {}', 'var', 'vars'],
    ['Matrix: {}', 'Matrix', 'matrix'],
  ])('is strict about its own keys: %s', (text, path, nearest) => {
    const more = text.includes('templates') ? '' : `\ntemplates:\n  one: ${templateYaml()}`
    expect(issuesOf(text + more)).toMatchObject([{ path, nearest }])
  })

  it.each(['', '# nothing', 'templates:', 'vars: {}\nmatrix: {}'])(
    'that makes no template is refused: %j',
    (text) => {
      expect(issuesOf(text)).toMatchObject([{ line: 1, column: 1, message: 'the file defines no template' }])
    },
  )

  it.each([
    '7',
    '[]',
    'text',
    'templates: 7',
    'templates: []',
    'templates: { one: 7 }',
    'templates: { one: }',
  ])('with another shape is refused once: %s', (text) => {
    expect(issuesOf(text)).toHaveLength(1)
  })

  it('keeps vars plain: an expression in them is refused, for it would silently stay text', () => {
    const issues = issuesOf(`vars: { a: ["\${{ 1 }}"] }\ntemplates:\n  one: ${templateYaml()}`)
    expect(issues).toMatchObject([{ path: 'vars.a[0]', line: 1, column: 13 }])
  })

  it('lets hand-written templates use vars', () => {
    const one = templateYaml({ cpu: '"${{ vars.cpu * 2 }}"', labels: '["x${{ vars.cpu }}"]' })
    const text = `vars: { cpu: 3 }\ntemplates:\n  one: ${one}`
    expect(parseTemplates(text, 'f').templates).toMatchObject([{ labels: ['x3'], size: { cpuMillis: 6000 } }])
  })

  it('keeps each issue on one line, whatever names the file has', () => {
    const files = [
      '"a\\nb": 1',
      `templates: { "a\\nb": {} }`,
      `matrix: { m: { axes: { x: ["a\\nb"] }, template: { cpu: "\${{ y }}", "c\\nd": 1 } } }`,
      `vars: { "a\\nb": 1 }\ntemplates: { one: { cpu: "\${{ vars['c\\nd'] }}" } }`,
    ]
    for (const text of files) {
      const { message, issues } = configErrorOf(() => parseTemplates(text, 'f'))
      expect(message.split('\n')).toHaveLength(issues.length)
    }
  })

  it('shows no token in any message, wherever it was pasted', () => {
    const files = [
      `templates:\n  one: ${templateYaml({ image: `"${TOKEN} "` })}`,
      `templates:\n  one: ${templateYaml({ [TOKEN]: '1' })}`,
      `${TOKEN}: 1`,
      `templates:\n  one: ${templateYaml({ cpu: TOKEN, isolation: TOKEN, hosts: TOKEN, pull: TOKEN, memory: TOKEN })}`,
      `matrix: { m: { axes: { x: [${TOKEN}] }, template: ${templateYaml({ cpu: '0' })} } }`,
      `a: *${TOKEN}`,
    ]
    for (const text of files) {
      const error = configErrorOf(() => parseTemplates(text, 'f'))
      expect(error.message + JSON.stringify(error.issues)).not.toContain(TOKEN.slice(6))
    }
  })

  it('ends in templates or a ConfigError, whatever it holds', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'templates',
        'matrix',
        'vars',
        'defaults',
        'axes',
        'let',
        'template',
        'labels',
        'cpu',
        '<<',
      ),
      fc.constantFrom(
        ': ',
        '\n',
        '\n  ',
        '\n    ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        ', ',
        '&a ',
        '*a',
        '"',
        '${{ ',
        ' }}',
        '? ',
      ),
      fc.string({ maxLength: 4 }),
      fc.integer().map(String),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const error = thrownBy(() => parseTemplates(pieces.join(''), 'f'))
        expect(error === null || error instanceof ConfigError).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('ends in a ConfigError at the place of an expression, whatever that expression is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (inner) => {
        const image = JSON.stringify(`\${{ ${inner}`)
        expect(issueIn({ image })).toMatchObject({ path: 'templates.one.image', line: 2 })
      }),
      { examples: [['cpu'], ['"'], ["'}}"]] },
    )
  })
})

describe('the count of templates', () => {
  const xs = Array.from({ length: 101 }, (_, index) => index).join(', ')
  const { templates } = parseTemplates(
    `matrix: { m: { axes: { x: [${xs}] }, template: ${templateYaml()} } }`,
    'f',
  )

  it('may reach what the server takes', () => {
    expect(() => checkTemplateCount(templates.slice(1), 100)).not.toThrow()
    expect(() => checkTemplateCount(templates, 1000)).not.toThrow()
  })

  it('beyond that is an error that says how many, and what to do', () => {
    expect(() => checkTemplateCount(templates, 100)).toThrow(/101 templates.*at most 100.*v2 server/s)
    expect(() => checkTemplateCount(templates, 100)).toThrow(
      expect.objectContaining({ code: 'templates-too-many' }),
    )
  })
})
