import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advertise, MintedUnits, within } from '../../../adapters/shipfox/units.ts'
import { type PollRequest, templateKey } from '../../../core/model/index.ts'
import { makeRunnerId, pollOf, RESERVATION } from './support.ts'

const SMALL = templateKey('small')
const LARGE = templateKey('large')
const seed = Number(process.env['FC_SEED'] ?? Date.now())

const capacity = fc.uniqueArray(
  fc.record({
    key: fc.integer({ min: 0, max: 5 }),
    available: fc.integer({ min: 0, max: 30 }),
    minted: fc.integer({ min: 0, max: 30 }),
  }),
  { selector: ({ key }) => key, maxLength: 6 },
)

interface Case {
  request: PollRequest
  minted: Map<ReturnType<typeof templateKey>, number>
}

const cases: fc.Arbitrary<Case> = fc
  .record({ rows: capacity, maxReservations: fc.integer({ min: 0, max: 1000 }) })
  .map(({ rows, maxReservations }) => ({
    request: {
      capacity: rows.map(({ key, available }) => ({
        template: templateKey(`t${key}`),
        labels: [`l${key}`],
        available,
        starting: 0,
        running: 0,
      })),
      maxReservations,
      waitSeconds: 0,
    },
    minted: new Map(rows.map(({ key, minted }) => [templateKey(`t${key}`), minted])),
  }))

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

function inAnyOrder(length: number, random: fc.Stream<number>): number[] {
  const rank = Array.from({ length }, () => random.next().value ?? 0)
  return [...rank.keys()].toSorted((a, b) => rank[a]! - rank[b]!)
}

/** What a v1 server has left once it has taken `units` off, from the templates in the order that it likes. */
function serverLeaves(slots: readonly number[], units: number, order: readonly number[]): number[] {
  const left = [...slots]
  let open = units
  for (const index of order) {
    const taken = Math.min(left[index]!, open)
    left[index]! -= taken
    open -= taken
  }
  return left
}

describe(`the double count of v1 (seed ${seed})`, () => {
  it('10 slots, 6 of them running, 4 jobs more: 4 can be granted', () => {
    const { slots, maxReservations } = advertise(pollOf({ small: 4 }), new Map([[SMALL, 6]]))
    expect(slots).toEqual([10])
    expect(maxReservations).toBe(4)
    expect(serverLeaves(slots, 6, [0])).toEqual([4])
  })

  it('a full fleet asks for nothing', () => {
    const asked = advertise(
      pollOf({ small: 0, large: 0 }),
      new Map([
        [SMALL, 6],
        [LARGE, 1],
      ]),
    )
    expect(asked).toEqual({ slots: [0, 0], maxReservations: 0 })
  })

  it('never lets more be granted than can be placed in total, whatever the server takes off where', () => {
    fc.assert(
      fc.property(
        cases,
        fc.integer({ min: 0, max: 200 }),
        fc.infiniteStream(fc.nat()),
        ({ request, minted }, units, stream) => {
          const { slots, maxReservations } = advertise(request, minted)
          const order = inAnyOrder(request.capacity.length, stream)
          const granted = Math.min(sum(serverLeaves(slots, units, order)), maxReservations)
          const placeable = sum(request.capacity.map(({ available }) => available))
          expect(granted).toBeLessThanOrEqual(Math.min(placeable, request.maxReservations))
        },
      ),
      { seed },
    )
  })

  it('leaves each template exactly what is free, where the server takes the units off the templates that hold them', () => {
    fc.assert(
      fc.property(cases, ({ request, minted }) => {
        const { slots } = advertise(request, minted)
        const free = request.capacity.map(({ available }) => available)
        fc.pre(sum(free) > 0)
        const left = request.capacity.map(
          ({ template }, index) => slots[index]! - (minted.get(template) ?? 0),
        )
        expect(left).toEqual(free)
      }),
      { seed },
    )
  })

  it('stays within what the wire takes', () => {
    const wild = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-1, 0.5, 1e9))
    fc.assert(
      fc.property(wild, wild, fc.nat(1e6), (available, maxReservations, minted) => {
        const request = { ...pollOf({ small: 0 }), maxReservations }
        const [row] = request.capacity
        const asked = advertise(
          { ...request, capacity: [{ ...row!, available }] },
          new Map([[SMALL, minted]]),
        )
        for (const [value, max] of [
          [asked.slots[0]!, 100_000],
          [asked.maxReservations, 1000],
        ] as const) {
          expect(Number.isInteger(value)).toBe(true)
          expect(value).toBeGreaterThanOrEqual(0)
          expect(value).toBeLessThanOrEqual(max)
        }
      }),
      { seed },
    )
  })

  it('keeps NaN off the wire', () => {
    expect(within(NaN, 10)).toBe(0)
  })
})

describe('minted units', () => {
  it('counts a unit from its mint until its reservation ends', () => {
    const units = new MintedUnits()
    units.granted(RESERVATION, 60_000)
    expect(units.countedUntil(1000, 0).get(SMALL)).toBeUndefined()
    units.minted(RESERVATION, makeRunnerId(), SMALL)
    units.minted(RESERVATION, makeRunnerId(), SMALL)
    units.minted(RESERVATION, makeRunnerId(), LARGE)
    expect(units.countedUntil(1000, 0)).toEqual(
      new Map([
        [SMALL, 2],
        [LARGE, 1],
      ]),
    )
    expect(units.countedUntil(60_000, 59_000)).toEqual(new Map())
    expect(units.countedUntil(59_999, 50_000).get(SMALL)).toBe(2)
    expect(units.countedUntil(60_002, 60_001)).toEqual(new Map())
  })

  it('counts none of a grant that it has not seen, and none that was given back', () => {
    const units = new MintedUnits()
    units.minted(RESERVATION, makeRunnerId(), SMALL)
    expect(units.countedUntil(1, 0)).toEqual(new Map())
    const runner = makeRunnerId()
    units.granted(RESERVATION, 60_000)
    units.minted(RESERVATION, runner, SMALL)
    units.returned(runner)
    units.returned(runner)
    expect(units.countedUntil(1, 0)).toEqual(new Map())
  })
})
