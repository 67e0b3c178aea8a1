import { describe, expect, it } from 'vitest'
import { FREE_TIER, PRICES } from '../../lib/prices.ts'
import { add, billOf, NOTHING, scale, subtract } from './bill.ts'

describe('the bill', () => {
  it('is nothing for nothing', () => {
    const { core, cloudWatch } = billOf(NOTHING, { freeTier: false })
    expect([core, cloudWatch]).toEqual([0, 0])
  })

  it.each([
    ['a function of 256 MB that runs for a month', { lambdaGbSeconds: 730 * 3_600 * 0.25 }, 8.76, 3.43],
    ['a million writes of a kilobyte', { writeUnits: 1e6 }, 0.625, 0.625],
    ['a million consistent reads', { readUnits: 1e6 }, 0.125, 0.125],
    ['ten agents that stay for a month', { connectionMinutes: 10 * 43_800 }, 0.1095, 0.1095],
    ['a million messages', { socketMessages: 1e6 }, 1, 1],
    ['two schedules that start every minute', { schedulerInvocations: 2 * 43_800 }, 0.0876, 0],
    ['a million starts', { lambdaRequests: 1e6 }, 0.2, 0],
  ])('charges for %s', (_what, usage, list, free) => {
    const all = { ...NOTHING, ...usage }
    expect(billOf(all, { freeTier: false }).core).toBeCloseTo(list, 2)
    expect(billOf(all, { freeTier: true }).core).toBeCloseTo(free, 2)
    expect(billOf(all, { freeTier: false }).cloudWatch).toBe(0)
  })

  it.each([
    ['twelve metrics', { metricMonths: 12 }, 3.6, 0.6],
    ['eleven alarms', { alarmMetricMonths: 11 }, 1.1, 0.1],
    ['a dashboard', { dashboardMonths: 1 }, 3, 0],
    ['six gigabytes of log', { logGb: 6, logGbMonths: 6 }, 3.18, 0.68],
  ])('charges for %s apart from the core', (_what, usage, list, free) => {
    const all = { ...NOTHING, ...usage }
    expect(billOf(all, { freeTier: false }).cloudWatch).toBeCloseTo(list, 2)
    expect(billOf(all, { freeTier: true }).cloudWatch).toBeCloseTo(free, 2)
    expect(billOf(all, { freeTier: false }).core).toBe(0)
  })

  it('takes the free tier off amounts, never below nothing', () => {
    const little = { ...NOTHING, lambdaRequests: FREE_TIER.lambda.requests / 2, lambdaGbSeconds: 1 }
    expect(billOf(little, { freeTier: true }).core).toBe(0)
  })

  it('adds up: the lines are the groups, and two usages cost what they cost together', () => {
    const one = { ...NOTHING, writeUnits: 3e6, socketMessages: 1e6, metricMonths: 2 }
    const two = { ...NOTHING, writeUnits: 1e6, logGb: 4 }
    const both = billOf(add(one, two), { freeTier: false })
    expect(both.core + both.cloudWatch).toBeCloseTo(both.lines.reduce((sum, { dollars }) => sum + dollars, 0))
    expect(both.core).toBeCloseTo(4 * 0.625 + 1)
    expect(both.cloudWatch).toBeCloseTo(0.6 + 2)
    expect(subtract(scale(one, 2), one)).toEqual(one)
  })

  it('uses prices with a date and a region', () => {
    expect([PRICES.region, PRICES.asOf]).toEqual(['us-east-1', expect.stringMatching(/^\d{4}-\d\d-\d\d$/)])
  })
})
