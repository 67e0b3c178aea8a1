import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RoundRobinCursor } from '../../../../core/plan/placement/round-robin.ts'
import { seed } from '../worlds.ts'

describe(`a ring (seed ${seed})`, () => {
  it('is empty at once when it has no index', () => {
    expect(new RoundRobinCursor(0, 0).next()).toBe(null)
  })

  it('goes round the indexes that were not dropped, as a plain list would', () => {
    const setup = fc.integer({ min: 1, max: 12 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        start: fc.nat({ max: size - 1 }),
        drops: fc.array(fc.boolean()),
      }),
    )
    fc.assert(
      fc.property(setup, ({ size, start, drops }) => {
        const cursor = new RoundRobinCursor(size, start)
        let expected = Array.from({ length: size }, (_, index) => (start + index) % size)
        for (const dropped of [...drops, ...drops]) {
          const [first, ...rest] = expected
          const index = cursor.next()
          expect(index).toBe(first ?? null)
          if (index === null) return
          if (dropped) cursor.drop(index)
          expected = dropped ? rest : [...rest, index]
        }
      }),
      { seed, numRuns: 1_000 },
    )
  })
})
