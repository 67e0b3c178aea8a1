// A list without a bound is spread into the arguments of one call.
import { expect, it } from 'vitest'
import { ReportQueue } from '../../core/flows/planner/report-queue.ts'
import { reportOf } from '../../core/plan/index.ts'
import { rid, tombstone } from '../contract/store-fixtures.ts'

it.fails('the time up to which ends are reported is known with 200,000 unreported ends', () => {
  const queue = new ReportQueue()
  const report = reportOf(tombstone(0), 0)
  if (report === null) return
  for (let index = 0; index < 200_000; index += 1) queue.enqueue({ ...report, id: rid(index) }, index)
  const ask = (): number => queue.reportedUpTo(5)
  expect(ask).not.toThrow()
  expect(ask()).toBe(0)
})
