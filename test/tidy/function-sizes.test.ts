import { describe, expect, it } from 'vitest'
import { functionSizes, isProductionCode, summarizeSizes } from './function-sizes.ts'
import { readRepository } from './repository-files.ts'

describe('functions of production code', () => {
  const files = readRepository().filter(({ path }) => isProductionCode(path))
  const { count, median, p90, max, largest } = summarizeSizes(files.flatMap(functionSizes))

  it('fit a screen: half have at most 7 lines, nine of ten at most 20, none more than 70', () => {
    expect(count).toBeGreaterThan(1_000)
    expect(median).toBeLessThanOrEqual(7)
    expect(p90).toBeLessThanOrEqual(20)
    expect({ max: max <= 70, largest: max <= 70 ? [] : largest }).toEqual({ max: true, largest: [] })
  })
})

describe('the measure of functions', () => {
  const sizesOf = (text: string) =>
    functionSizes({ path: 'core/a.ts', text }).map(({ at, lines }) => [at, lines])

  it('counts lines of code: neither blank ones nor comments', () => {
    const text = '// é\n\nfunction a(): void {\n  // why\n\n  /* b\n   * c\n   */\n  d()\n}\n'
    expect(sizesOf(text)).toEqual([['core/a.ts:3', 3]])
  })

  it('counts functions with a name, whatever their form, and callbacks within them', () => {
    const text = [
      'export const a = () => 1',
      'export class B {',
      '  readonly #c = () => 2',
      '  constructor() {}',
      '  get d() { return 3 }',
      '  #e() {',
      '    return [1].map((x) => x)',
      '  }',
      '}',
      'export const f = { g() {}, h: () => 4 }',
      'run(() => {})',
    ].join('\n')
    expect(sizesOf(text)).toEqual([
      ['core/a.ts:1', 1],
      ['core/a.ts:3', 1],
      ['core/a.ts:4', 1],
      ['core/a.ts:5', 1],
      ['core/a.ts:6', 3],
      ['core/a.ts:10', 1],
      ['core/a.ts:10', 1],
    ])
  })

  it('knows the middle, the tenth from the end and the largest', () => {
    const sizes = [5, 1, 2, 3, 4, 6, 7, 8, 9, 100].map((lines) => ({ at: 'a', lines }))
    expect(summarizeSizes(sizes)).toMatchObject({ count: 10, median: 5, p90: 9, max: 100 })
    expect(summarizeSizes(sizes).largest[0]).toEqual({ at: 'a', lines: 100 })
  })
})
