import { describe, expect, it } from 'vitest'
import { closingLine, judge } from '../../bin/bootstrap/test-verdict.ts'
import type { FileReport, TestRun } from '../../bin/bootstrap/test-verdict.ts'

const UNIT: FileReport = {
  project: 'unit',
  name: 'test/a.test.ts',
  passed: 4,
  failed: 0,
  skipped: 0,
  errors: [],
  durationMs: 10,
}
const FAULTS: FileReport = { ...UNIT, project: 'faults', name: 'test/b.test.ts', passed: 1 }
const RUN: TestRun = {
  report: { files: [UNIT, FAULTS] },
  exitCode: 0,
  floors: { unit: 4, faults: 1 },
  mayBeSkipped: false,
}

/** A run in which the file of project `faults` came to something else. */
function runWith(change: Partial<FileReport>): TestRun {
  return { ...RUN, report: { files: [UNIT, { ...FAULTS, ...change }] } }
}

describe('the verdict on a test run', () => {
  it('is good when as many tests as there must be passed', () => {
    expect(judge(RUN)).toEqual({ passed: 5, failed: 0, skipped: 0, complaints: [] })
  })

  it('counts failed tests, once where a hook of their file failed as well', () => {
    const run = { ...runWith({ passed: 1, failed: 2, errors: ['after all'] }), exitCode: 1 }
    expect(judge(run)).toEqual({ passed: 5, failed: 2, skipped: 0, complaints: [] })
  })

  it('is bad when a file failed as a whole, for no test says so', () => {
    const run = { ...runWith({ errors: ['Cannot find b.ts\nat c'] }), exitCode: 1 }
    expect(judge(run)).toMatchObject({
      failed: 1,
      complaints: ['b.test.ts failed as a whole: Cannot find b.ts'],
    })
  })

  it('is bad when tests were skipped where none may be', () => {
    const run = runWith({ skipped: 1 })
    expect(judge(run)).toMatchObject({ failed: 1, skipped: 1 })
    expect(judge({ ...run, mayBeSkipped: true })).toMatchObject({ failed: 0, skipped: 1 })
  })

  it('is bad when a project executed fewer tests than it must, and good when it executed more', () => {
    const { complaints } = judge({ ...RUN, floors: { unit: 5, faults: 1 } })
    expect(complaints).toEqual([
      expect.stringMatching(
        /^The project unit executed 4 tests; TESTS_MIN in vitest.config.ts asks for .* 5/,
      ),
    ])
    expect(judge({ ...RUN, floors: { unit: 3, faults: 1 } }).failed).toBe(0)
    expect(judge({ ...RUN, floors: { unit: 4, machine: 1 } }).failed).toBe(1)
    expect(judge({ ...RUN, floors: undefined }).failed).toBe(0)
  })

  it('is bad when vitest failed without a failed test or ended without a report', () => {
    expect(judge({ ...RUN, exitCode: 1 }).complaints).toEqual(['vitest ended with exit code 1.'])
    expect(judge({ report: undefined, exitCode: null, floors: { unit: 4 }, mayBeSkipped: true })).toEqual({
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
