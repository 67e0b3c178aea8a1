import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpressionError, evaluateText, type Value } from '../../config/expression/index.ts'
import { thrownBy } from './yaml-text.ts'

const scope = new Map<string, Value>([
  ['cpu', 4],
  ['os', 'ubuntu22'],
  ['gpu', false],
  ['sizes', [1, 2, 4]],
  ['vars', new Map<string, Value>([['image', new Map<string, Value>([['ubuntu22', 'runner:22']])]])],
])
const run = (text: string): Value => evaluateText(text, scope)

describe('an expression', () => {
  it.each<[string, Value]>([
    ['plain text', 'plain text'],
    ['${{ cpu }}', 4],
    [' ${{ cpu }}\n', 4],
    ['${{ cpu }}vcpu', '4vcpu'],
    ['${{ cpu }}${{ cpu }}', '44'],
    ['a ${{ os }} b ${{ cpu * 2 }} c', 'a ubuntu22 b 8 c'],
    ['${{ vars.image[os] }}', 'runner:22'],
    ['${{ vars["image"].ubuntu22 }}', 'runner:22'],
    ['${{ sizes[1] }}', 2],
    ['${{ [cpu, "x", true, null] }}', [4, 'x', true, null]],
    ['${{ [1, 2,] }}', [1, 2]],
    ['${{ [] }}', []],
    ['${{ 2 + 3 * 4 }}', 14],
    ['${{ (2 + 3) * 4 }}', 20],
    ['${{ 10 - 3 - 2 }}', 5],
    ['${{ 8 / 2 / 2 }}', 2],
    ['${{ 7 % 4 }}', 3],
    ['${{ -cpu + 1 }}', -3],
    ['${{ - -1 }}', 1],
    ['${{ 0.1 + 0.2 }}', 0.3],
    ['${{ "a" + 1 + 2 }}', 'a12'],
    ['${{ 1 + 2 + "a" }}', '3a'],
    ['${{ \'it\\\'s\' + "\\"" }}', 'it\'s"'],
    ["${{ '}}' }}", '}}'],
    ["${{ '${{' }} stays", '${{ stays'],
    ['${{ cpu > 2 && os == "ubuntu22" }}', true],
    ['${{ !gpu || cpu / 0 > 1 }}', true],
    ['${{ gpu && nobody }}', false],
    ['${{ cpu >= 4 ? "big" : "small" }}', 'big'],
    ['${{ gpu ? 1 : cpu > 2 ? 2 : 3 }}', 2],
    ['${{ "a" < "b" }}', true],
    ['${{ 1 == "1" }}', false],
    ['${{ [1, 2] == [1, 2] }}', true],
    ['${{ [1, 2] != [2, 1] }}', true],
    ['${{ null == null }}', true],
  ])('%s gives %j', (text, value) => {
    expect(run(text)).toEqual(value)
  })

  it.each<[string, RegExp]>([
    ['${{ cpu', /not closed/],
    ['${{ }}', /ends too early/],
    ['${{ 1 + }}', /ends too early/],
    ['${{ 1 2 }}', /unexpected number 2/],
    ['${{ (1 }}', /ends too early/],
    ['${{ [1 }}', /ends too early/],
    ['${{ a. }}', /is not followed by a name/],
    ['${{ cpus }}', /"cpus" is not known here/],
    ['${{ vars.imag }}', /"imag" is not a key of this map/],
    ['${{ cpu.x }}', /a number can't be indexed with text/],
    ['${{ sizes[3] }}', /the list has 3 items and no index 3/],
    ['${{ sizes[-1] }}', /no index -1/],
    ['${{ sizes[0.5] }}', /no index 0.5/],
    ['${{ os * 2 }}', /"\*" was given text/],
    ['${{ cpu / 0 }}', /given 0/],
    ['${{ cpu % 0 }}', /given 0/],
    ['${{ os && true }}', /"&&" was given text/],
    ['${{ !cpu }}', /"!" was given a number/],
    ['${{ cpu ? 1 : 2 }}', /"\?" was given a number/],
    ['${{ cpu < os }}', /can't compare a number with text/],
    ['x${{ null }}', /nothing can't be part of a text/],
    ['x${{ sizes }}', /a list can't be part/],
    ['${{ "a" + sizes }}', /a list can't be part/],
    ['${{ @ }}', /syntax error at "@/],
    ['${{ 1.2.3 }}', /syntax error at/],
    [`\${{ ${'9'.repeat(310)} * 1 }}`, /the result is too large/],
    [`\${{ ${'('.repeat(2000)}1${')'.repeat(2000)} }}`, /longer than 1000/],
  ])('%s is refused', (text, message) => {
    expect(() => run(text)).toThrow(message)
  })

  it('names the nearest name and the known ones', () => {
    const error = thrownBy(() => run('${{ vars.imge }}'))
    expect(error).toMatchObject({ nearest: 'image', expected: 'one of image' })
  })

  it('reaches nothing but its scope: the names of object prototypes are unknown', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'globalThis', 'process', 'undefined']) {
      expect(() => run(`\${{ ${name} }}`)).toThrow(ExpressionError)
      expect(() => run(`\${{ vars.${name} }}`)).toThrow(ExpressionError)
      expect(() => run(`\${{ vars["${name}"] }}`)).toThrow(ExpressionError)
      expect(() => run(`\${{ os.${name} }}`)).toThrow(ExpressionError)
      expect(() => run(`\${{ sizes.${name} }}`)).toThrow(ExpressionError)
    }
  })

  it('cannot make a text or list without bounds', () => {
    let text: Value = 'x'.repeat(600_000)
    expect(() => evaluateText('${{ t + t }}', new Map([['t', text]]))).toThrow(/too large/)
    expect(() => evaluateText('${{ t }}, ${{ t }}', new Map([['t', text]]))).toThrow(/too large/)
    text = Array.from({ length: 6000 }, () => 1)
    expect(() => evaluateText('${{ [t, t] }}', new Map([['t', text]]))).toThrow(/too large/)
  })

  it('stands the longest and deepest expression that fits', () => {
    for (const inner of [
      '('.repeat(499) + ')'.repeat(499),
      '!'.repeat(990),
      '-'.repeat(990),
      '['.repeat(990),
    ]) {
      expect(() => run(`\${{${inner}}}`)).toThrow(ExpressionError)
    }
    expect(run(`\${{ ${'('.repeat(490)}1${')'.repeat(490)} }}`)).toBe(1)
    expect(run(`\${{ ${'1+'.repeat(490)}1 }}`)).toBe(491)
    expect(run(`\${{ ${'true?'.repeat(140)}1${':0'.repeat(140)} }}`)).toBe(1)
  })

  const piece = fc.oneof(
    fc.constantFrom(...'+-*/%<>=!&|?:()[].,"\' 0123456789'.split('')),
    fc.constantFrom('cpu', 'os', 'vars', 'sizes', 'true', 'null', '==', '&&', '||', '"x"', '}}', '${{', '\\'),
    fc.string({ maxLength: 3 }),
  )
  it('ends in a value or an ExpressionError, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const error = thrownBy(() => run(`\${{ ${pieces.join('')} }}`))
        expect(error === null || error instanceof ExpressionError).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it('computes as JavaScript does, up to the noise of binary fractions', () => {
    const number = fc.integer({ min: 0, max: 1000 }).map(String)
    const { sum } = fc.letrec<{ sum: string; term: string }>((tie) => ({
      sum: fc.oneof(
        { maxDepth: 4 },
        number,
        fc.tuple(tie('term'), fc.constantFrom('+', '-', '*'), tie('term')).map((t) => t.join(' ')),
      ),
      term: fc.oneof(
        { maxDepth: 4 },
        number,
        tie('sum').map((inner) => `(${inner})`),
        tie('sum').map((inner) => `-(${inner})`),
      ),
    }))
    fc.assert(
      fc.property(sum, (text) => {
        fc.pre(text.length < 900)
        const value = run(`\${{ ${text} }}`)
        // oxlint-disable-next-line typescript/no-implied-eval -- the oracle: digits, + - * and parentheses alone
        const oracle = new Function(`return ${text}`)() as number
        expect(value).toBeCloseTo(oracle, -10)
        expect(Math.abs((value as number) - oracle)).toBeLessThanOrEqual(Math.abs(oracle) * 1e-12)
      }),
    )
  })
})
