import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchingTemplates } from '../../../../core/plan/index.ts'
import { GITHUB, SHIPFOX, seed, template } from '../worlds.ts'

const keysFor = (templates: Parameters<typeof matchingTemplates>[0], labels: string[], source = SHIPFOX) =>
  matchingTemplates(templates, source, labels).map(({ key }) => key)

describe(`the templates of a job (seed ${seed})`, () => {
  it('S9: are those whose labels hold all that the job requires', () => {
    const templates = [
      template('both', { labels: ['gpu', 'linux'] }),
      template('linux', { labels: ['linux'] }),
      template('gpu', { labels: ['gpu'] }),
    ]
    expect(keysFor(templates, ['linux'])).toEqual(['linux', 'both'])
    expect(keysFor(templates, ['gpu', 'linux'])).toEqual(['both'])
    expect(keysFor(templates, ['gpu', 'linux', 'arm'])).toEqual([])
  })

  it('S9: come cheapest first, whatever else they have', () => {
    const templates = [
      template('tight', { labels: ['linux'], cost: 2 }),
      template('wide', { labels: ['a', 'b', 'linux'], cost: 1 }),
    ]
    expect(keysFor(templates, ['linux'])).toEqual(['wide', 'tight'])
  })

  it('S9: of one cost come with the fewest labels beyond the required ones first, and then by key', () => {
    const templates = [
      template('c', { labels: ['a', 'linux'] }),
      template('b', { labels: ['linux'] }),
      template('B', { labels: ['linux'] }),
      template('a', { labels: ['linux'] }),
    ]
    expect(keysFor(templates, ['linux'])).toEqual(['B', 'a', 'b', 'c'])
  })

  it('are only those that the source may use', () => {
    const templates = [
      template('all'),
      template('github-only', { cost: 0.5, sources: { kind: 'named', ids: [GITHUB] } }),
    ]
    expect(keysFor(templates, ['linux'])).toEqual(['all'])
    expect(keysFor(templates, ['linux'], GITHUB)).toEqual(['github-only', 'all'])
  })

  it('are in one order, whatever order the file has', () => {
    const label = fc.constantFrom('a', 'b', 'c')
    const templates = fc.uniqueArray(
      fc.record({
        key: fc.string({ minLength: 1, maxLength: 3 }),
        labels: fc.uniqueArray(label, { minLength: 1 }),
        cost: fc.constantFrom(1, 2),
      }),
      { selector: ({ key }) => key },
    )
    fc.assert(
      fc.property(templates, fc.nat(), fc.subarray(['a', 'b']), (parts, turn, required) => {
        const made = parts.map(({ key, labels, cost }) => template(key, { labels, cost }))
        const cut = made.length === 0 ? 0 : turn % made.length
        const turned = [...made.slice(cut), ...made.slice(0, cut)].toReversed()
        expect(keysFor(turned, required)).toEqual(keysFor(made, required))
      }),
      { seed },
    )
  })
})
