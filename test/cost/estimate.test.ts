import { describe, expect, it } from 'vitest'
import { NOTHING } from './bill.ts'
import { estimate, loopHours, type Measured } from './estimate.ts'
import type { Options } from './options.ts'
import type { StackFacts } from './stack-facts.ts'
import { describe as say } from './words.ts'

const STACK: StackFacts = {
  sizes: { memoryMb: 256, loopTimeoutMs: 900_000 },
  functions: 5,
  alarmMetrics: 10,
  dashboards: 1,
  standing: { ...NOTHING, alarmMetricMonths: 10, dashboardMonths: 1 },
}
/** Dollars of writes, to know what comes out. */
const writes = (dollars: number) => ({ ...NOTHING, writeUnits: dollars / 0.625e-6 })
const MEASURED: Measured = {
  idle: {
    auto: { usage: writes(1), metrics: 1 },
    continuous: { usage: writes(12), metrics: 1 },
    economy: { usage: writes(0.5), metrics: 1 },
  },
  perThousandJobs: { usage: writes(0.01), metrics: 5 },
}
const OPTIONS: Options = { jobsPerDay: 24_000, hosts: 10, mode: 'auto', hoursWithJobs: 12, json: false }

describe('the estimate', () => {
  it('puts idle hours, busy hours and jobs together to a month', () => {
    const { month, idle, loopHoursPerDay } = estimate(OPTIONS, MEASURED, STACK)
    const share = 12.25 / 24
    expect(loopHoursPerDay).toBe(12.25)
    const jobs = (24 * 0.01 * 730) / 24
    expect(month.list.core).toBeCloseTo(1 * (1 - share) + 12 * share + jobs, 6)
    // One metric all the time and four more while work lives, ten alarms, a dashboard.
    expect(month.list.cloudWatch).toBeCloseTo(0.3 * (1 + 4 * share) + 1 + 3, 6)
    expect(idle.economy.list.core).toBeCloseTo(0.5, 6)
    expect(idle.economy.list.cloudWatch).toBeCloseTo(0.3 + 1 + 3, 6)
    expect(idle.economy.freeTier.cloudWatch).toBe(0)
  })

  it('tells which budget is missed, and what that line is made of', () => {
    const { budgets } = estimate(OPTIONS, MEASURED, STACK)
    expect(budgets.filter(({ holds }) => !holds)).toEqual([
      expect.objectContaining({ what: 'core, idle, continuous', most: 10, is: expect.closeTo(12, 6) }),
    ])
    expect(budgets.find(({ holds }) => !holds)?.madeOf.map(({ what }) => what)).toEqual(['table: writes'])
    expect(budgets).toHaveLength(5)
  })

  it.each([
    ['continuous', 0, 8, 24],
    ['economy', 10_000, 8, 0],
    ['auto', 0, 8, 0],
    ['auto', 4, 8, 1],
    ['auto', 200, 8, 8.25],
    ['auto', 10_000, 24, 24],
  ] as const)(
    'keeps the loop of %s with %i jobs in %i hours running for %d hours',
    (mode, jobsPerDay, hoursWithJobs, hours) => {
      expect(loopHours({ mode, jobsPerDay, hoursWithJobs })).toBe(hours)
    },
  )

  it('reads as a table, with a word on each budget', () => {
    const text = say(estimate(OPTIONS, MEASURED, STACK))
    expect(text).toMatch(/^a month idle, 10 hosts, economy\s+\$0\.5000\s+\$4\.30/m)
    expect(text).toMatch(
      /MISSED {2}core, idle, continuous: \$12\.00 of \$10\.00, most of it table: writes \$12\.00/,
    )
    expect(text).toMatch(/holds {3}core, 1,000 jobs: \$0\.0100 of \$0\.0200/)
  })
})
