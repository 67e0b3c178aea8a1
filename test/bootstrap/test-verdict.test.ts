import { describe, expect, it } from 'vitest'
import { closingLine, judge } from '../../bin/bootstrap/test-verdict.ts'
import type { TestReport, TestRun } from '../../bin/bootstrap/test-verdict.ts'

const REPORT: TestReport = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
}
const RUN: TestRun = { report: REPORT, exitCode: 0, expected: 5, mayBeSkipped: false }

function brokenFile(...statuses: string[]): TestReport['testResults'][number] {
  const assertionResults = statuses.map((status) => ({ status }))
  return { name: 'test/a.test.ts', status: 'failed', message: 'Cannot find b.ts\nat c', assertionResults }
}

describe('the verdict on a test run', () => {
  it('is good when as many tests as expected passed', () => {
    expect(judge(RUN)).toEqual({ passed: 5, failed: 0, skipped: 0, complaints: [] })
  })

  it('counts failed tests', () => {
    const report = {
      ...REPORT,
      numPassedTests: 3,
      numFailedTests: 2,
      testResults: [brokenFile('failed', 'passed')],
    }
    expect(judge({ ...RUN, report, exitCode: 1 })).toEqual({
      passed: 3,
      failed: 2,
      skipped: 0,
      complaints: [],
    })
  })

  it('is bad when a file failed as a whole, for no test says so', () => {
    const report = { ...REPORT, testResults: [brokenFile('skipped')] }
    const verdict = judge({ ...RUN, report, exitCode: 1 })
    expect(verdict).toMatchObject({
      failed: 1,
      complaints: ['a.test.ts failed as a whole: Cannot find b.ts'],
    })
  })

  it('is bad when tests were skipped where none may be', () => {
    for (const skipped of [{ numPendingTests: 1 }, { numTodoTests: 1 }]) {
      const report = { ...REPORT, ...skipped }
      expect(judge({ ...RUN, report })).toMatchObject({ failed: 1, skipped: 1 })
      expect(judge({ ...RUN, report, mayBeSkipped: true })).toMatchObject({ failed: 0, skipped: 1 })
    }
  })

  it('is bad when fewer or more tests than expected were executed', () => {
    for (const expected of [4, 6]) {
      expect(judge({ ...RUN, expected }).complaints[0]).toContain(`5 tests were executed, and test/expected`)
    }
    expect(judge({ ...RUN, expected: undefined }).failed).toBe(0)
  })

  it('is bad when vitest failed without a failed test or ended without a report', () => {
    expect(judge({ ...RUN, exitCode: 1 }).complaints).toEqual(['vitest ended with exit code 1.'])
    expect(judge({ report: undefined, exitCode: null, expected: undefined, mayBeSkipped: true })).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
      complaints: ['vitest ended with a signal.'],
    })
  })

  it('closes with one plain line', () => {
    expect(closingLine({ passed: 5, failed: 0, skipped: 0 })).toBe('5 passed, 0 failed')
    expect(closingLine({ passed: 5, failed: 1, skipped: 2 })).toBe('5 passed, 1 failed, 2 skipped')
  })
})
