import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearestName } from '../../config/nearest.ts'

describe('the nearest name', () => {
  it.each([
    ['lables', 'labels'],
    ['maxConcurrency', 'max_concurrency'],
    ['max-concurency', 'max_concurrency'],
    ['mem', 'memory'],
    ['cpus', 'cpu'],
    ['Image', 'image'],
  ])('to %s is %s', (written, meant) => {
    expect(nearestName(written, ['labels', 'image', 'cpu', 'memory', 'max_concurrency', 'env'])).toBe(meant)
  })

  it('is none when nothing is near', () => {
    expect(nearestName('foo', ['labels', 'image'])).toBeNull()
    expect(nearestName('x', ['y', 'os'])).toBeNull()
    expect(nearestName('', ['cpu'])).toBeNull()
    expect(nearestName('cpu', [])).toBeNull()
  })

  it('stays quick for absurdly long names', () => {
    expect(nearestName('a'.repeat(1_000_000), ['b'.repeat(1_000_000)])).toBeNull()
  })
})

describe('the edit distance', () => {
  it('counts a swap of neighbours as one', () => {
    expect(editDistance('memroy', 'memory')).toBe(1)
    expect(editDistance('kitten', 'sitting')).toBe(3)
  })

  it('is a distance: 0 only for equals, symmetric, at most the longer length', () => {
    const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') })
    fc.assert(
      fc.property(word, word, (left, right) => {
        const distance = editDistance(left, right)
        expect(distance === 0).toBe(left === right)
        expect(editDistance(right, left)).toBe(distance)
        expect(distance).toBeLessThanOrEqual(Math.max(left.length, right.length))
        expect(distance).toBeGreaterThanOrEqual(Math.abs(left.length - right.length))
      }),
    )
  })
})
