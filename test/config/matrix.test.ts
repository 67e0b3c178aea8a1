import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTemplates } from '../../config/index.ts'
import { issuesOf, templateYaml } from './yaml-text.ts'

const keysOf = (text: string) => parseTemplates(text, 'f').templates.map(({ key }) => key)
const family = (parts: Readonly<Record<string, string>>) => {
  const all = { axes: '{ x: [1, 2] }', template: templateYaml(), ...parts }
  const lines = Object.entries(all).filter(([, value]) => value !== '')
  return `matrix:\n  m:\n${lines.map(([key, value]) => `    ${key}: ${value}`).join('\n')}\n`
}

describe('a matrix', () => {
  it('expands as the documented example does', () => {
    const { templates, warnings } = parseTemplates(
      [
        'vars:',
        '  image_by_os: { ubuntu22: "shipfox-runner:ubuntu22", ubuntu24: "shipfox-runner:ubuntu24" }',
        'defaults: { target_concurrency: 0 }',
        'matrix:',
        '  general:',
        '    axes: { os: [ubuntu22, ubuntu24], cpu: [2, 4] }',
        '    exclude: [{ os: ubuntu22, cpu: 4 }]',
        '    include: [{ os: ubuntu24, cpu: 8 }]',
        '    let: { memory_gib: "${{ cpu * 2 }}" }',
        '    template:',
        '      labels: [docker, "${{ os }}", "${{ cpu }}vcpu"]',
        '      image: "${{ vars.image_by_os[os] }}"',
        '      cpu: "${{ cpu }}"',
        '      memory: "${{ memory_gib }}GiB"',
        '      max_concurrency: 50',
      ].join('\n'),
      'templates.yaml',
    )
    expect(warnings).toEqual([])
    expect(
      templates.map(({ key, labels, image, size, cost }) => [key, labels.join(), image, size, cost]),
    ).toEqual([
      [
        'general-ubuntu22-2',
        '2vcpu,docker,ubuntu22',
        'shipfox-runner:ubuntu22',
        { cpuMillis: 2000, memoryMib: 4096 },
        2,
      ],
      [
        'general-ubuntu24-2',
        '2vcpu,docker,ubuntu24',
        'shipfox-runner:ubuntu24',
        { cpuMillis: 2000, memoryMib: 4096 },
        2,
      ],
      [
        'general-ubuntu24-4',
        '4vcpu,docker,ubuntu24',
        'shipfox-runner:ubuntu24',
        { cpuMillis: 4000, memoryMib: 8192 },
        4,
      ],
      [
        'general-ubuntu24-8',
        '8vcpu,docker,ubuntu24',
        'shipfox-runner:ubuntu24',
        { cpuMillis: 8000, memoryMib: 16_384 },
        8,
      ],
    ])
  })

  it('takes an axis from an expression, and lets from axes, vars and earlier lets', () => {
    const text = `vars: { xs: [1, 3] }\n${family({
      axes: '{ x: "${{ vars.xs }}" }',
      let: '{ y: "${{ x + 1 }}", z: "${{ y * vars.xs[1] }}" }',
      template: templateYaml({ cpu: '"${{ z }}"' }),
    })}`
    expect(parseTemplates(text, 'f').templates.map(({ size }) => size.cpuMillis)).toEqual([6000, 12_000])
  })

  it('names its templates by an expression when it has one', () => {
    expect(keysOf(family({ key: '"runner/${{ x }}"' }))).toEqual(['runner/1', 'runner/2'])
    expect(keysOf(family({ key: '"${{ x }}"' }))).toEqual(['1', '2'])
  })

  it('crosses lists and maps too, but then needs a key', () => {
    const axes = '{ size: [{ name: s, cpu: 1 }, { name: l, cpu: 4 }] }'
    expect(keysOf(family({ axes, key: '"m-${{ size.name }}"' }))).toEqual(['m-s', 'm-l'])
    expect(issuesOf(family({ axes }))).toMatchObject([{ path: 'matrix.m.template', line: 4 }])
  })

  it('loses to a template of the same key that was written by hand, with a warning', () => {
    const { templates, warnings } = parseTemplates(
      `templates:\n  m-2: ${templateYaml({ cpu: '7' })}\n${family({})}`,
      'f',
    )
    expect(templates.map(({ key, size }) => [key, size.cpuMillis])).toEqual([
      ['m-2', 7000],
      ['m-1', 1000],
    ])
    expect(warnings).toMatchObject([{ file: 'f', line: 2, column: 3, path: 'templates.m-2' }])
  })

  it('refuses a key that is made twice, in one family or in two', () => {
    expect(issuesOf(family({ key: 'same' }))).toMatchObject([{ path: 'matrix.m.template.key' }])
    expect(issuesOf(family({ include: '[{ x: 2 }]' }))).toMatchObject([{ path: 'matrix.m.template.key' }])
    const other = `  n: { axes: { x: [1, 3] }, key: "m-\${{ x }}", template: ${templateYaml()} }\n`
    expect(issuesOf(family({}) + other)).toMatchObject([
      { line: 5, path: 'matrix.n.template.key', message: expect.stringMatching(/"m-1" .*family m \(x=1\)/) },
    ])
  })

  it('warns of an exclusion that excludes nothing', () => {
    const { templates, warnings } = parseTemplates(family({ exclude: '[{ x: 1 }, { x: 9 }]' }), 'f')
    expect(templates).toHaveLength(1)
    expect(warnings).toMatchObject([{ line: 5, column: 25, path: 'matrix.m.exclude[1]' }])
  })

  it('does not warn of two exclusions that overlap', () => {
    const axes = '{ x: [1, 2], y: [1, 2] }'
    expect(parseTemplates(family({ axes, exclude: '[{ x: 1 }, { y: 1 }]' }), 'f').warnings).toEqual([])
  })

  it.each<[string, Record<string, string>, string]>([
    ['no axes', { axes: '' }, 'matrix.m.axes'],
    ['no axis', { axes: '{}' }, 'matrix.m.axes'],
    ['axes that are a list', { axes: '[x]' }, 'matrix.m.axes'],
    ['an axis without values', { axes: '{ x: [] }' }, 'matrix.m.axes.x'],
    ['an axis that is not a list', { axes: '{ x: 1 }' }, 'matrix.m.axes.x'],
    ['an axis with a value twice', { axes: '{ x: [1, 2, 1] }' }, 'matrix.m.axes.x[2]'],
    ['an axis whose expression is not a list', { axes: '{ x: "${{ 1 }}" }' }, 'matrix.m.axes.x'],
    ['an axis that uses another', { axes: '{ x: [1], y: "${{ [x] }}" }' }, 'matrix.m.axes.y'],
    [
      'an axis that no expression could name',
      { axes: '{ node-version: [1] }' },
      'matrix.m.axes.node-version',
    ],
    ['an axis called vars', { axes: '{ vars: [1] }' }, 'matrix.m.axes.vars'],
    ['a let called true', { let: '{ true: 1 }' }, 'matrix.m.let.true'],
    ['a let called as an axis', { let: '{ x: 1 }' }, 'matrix.m.let.x'],
    ['a let that uses a later one', { let: '{ a: "${{ b }}", b: 1 }' }, 'matrix.m.let.a'],
    ['a let that fails', { let: '{ a: "${{ x / 0 }}" }' }, 'matrix.m.let.a'],
    ['an exclusion of an unknown axis', { exclude: '[{ xx: 1 }]' }, 'matrix.m.exclude[0].xx'],
    ['an exclusion of everything', { exclude: '[{}]' }, 'matrix.m.exclude[0]'],
    ['an exclusion that is not a list', { exclude: '{ x: 1 }' }, 'matrix.m.exclude'],
    [
      'an inclusion without a value',
      { axes: '{ x: [1], y: [1] }', include: '[{ x: 2 }]' },
      'matrix.m.include[0].y',
    ],
    ['an inclusion of an unknown axis', { include: '[{ x: 3, z: 1 }]' }, 'matrix.m.include[0].z'],
    ['no template', { template: '' }, 'matrix.m.template'],
    ['a template that is a list', { template: '[]' }, 'matrix.m.template'],
    ['a key that fails', { key: '"${{ y }}"' }, 'matrix.m.key'],
    ['a key that is a list', { key: '[a]' }, 'matrix.m.key'],
    ['another key', { lets: '{}' }, 'matrix.m.lets'],
    ['too many combinations', { axes: `{ x: [${range(101)}], y: [${range(101)}] }` }, 'matrix.m.axes'],
  ])('with %s is refused once, at its place', (_, parts, path) => {
    expect(issuesOf(family(parts)).map((issue) => issue.path)).toEqual([path])
  })

  it('points through the expansion at the node in the file, and names the combination', () => {
    const text = family({
      axes: '{ os: [a, b], x: [3, 2] }',
      template: templateYaml({ cpu: '"${{ x - 2 }}"' }),
    })
    expect(issuesOf(text)).toMatchObject([
      {
        line: 4,
        column: 40,
        path: 'matrix.m.template.cpu',
        message: '0 is out of range (os=a, x=2)',
      },
    ])
  })

  it('may make 10,000 combinations in a file and no more', () => {
    const exact = family({ axes: `{ x: [${range(100)}], y: [${range(100)}] }` })
    expect(parseTemplates(exact, 'f').templates).toHaveLength(10_000)
    const more = `${exact}  n: { axes: { x: [1] }, template: ${templateYaml()} }\n`
    expect(issuesOf(more)).toMatchObject([{ path: 'matrix.n.axes' }])
  })

  it('cannot be made to multiply a large template without bounds', () => {
    const env = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`V${index}`, '"${{ x }}"']))
    const pairs = Object.entries(env).map(([name, value]) => `${name}: ${value}`)
    const text = family({
      axes: `{ x: [${range(100)}], y: [${range(100)}] }`,
      template: templateYaml({ env: `{ ${pairs.join(', ')} }` }),
    })
    expect(issuesOf(text)).toMatchObject([{ message: 'makes the file expand beyond the limit' }])
  })

  it('makes product - excluded + included templates, with the keys that a plain nested loop gives', () => {
    const axis = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 })
    const binding = fc.record({ a: fc.nat(9), b: fc.nat(9), c: fc.nat(9) }, { requiredKeys: [] })
    const complete = fc.record({ a: fc.nat(19), b: fc.nat(19), c: fc.nat(19) })
    const same = (x: object) => JSON.stringify(x)
    fc.assert(
      fc.property(
        axis,
        axis,
        axis,
        fc.array(binding, { maxLength: 3 }),
        fc.uniqueArray(complete, { maxLength: 3, selector: same }),
        (a, b, c, excluded, included) => {
          const partial = excluded.filter((one) => Object.keys(one).length > 0)
          const product = a.flatMap((x) => b.flatMap((y) => c.map((z) => ({ a: x, b: y, c: z }))))
          const left = product.filter(
            (one) => !partial.some((other) => same({ ...one, ...other }) === same(one)),
          )
          const added = included.filter((one) => !left.some((other) => same(other) === same(one)))
          fc.pre(left.length + added.length > 0)
          const expected = [...left, ...added].map((one) => `m-${one.a}-${one.b}-${one.c}`)
          const text = family({ axes: same({ a, b, c }), exclude: same(partial), include: same(added) })
          expect(keysOf(text)).toEqual(expected)
          const dropped = product.length - left.length
          expect(keysOf(text)).toHaveLength(a.length * b.length * c.length - dropped + added.length)
        },
      ),
    )
  })
})

function range(count: number): string {
  return Array.from({ length: count }, (_, index) => index).join(', ')
}
