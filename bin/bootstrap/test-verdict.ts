import * as path from 'node:path'
import * as z from 'zod'

/** The part of vitest's JSON report (reporter `json`) that the verdict needs. */
export const TestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().default(''),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
})
export type TestReport = z.infer<typeof TestReport>

/** test/expected-tests.json: how many tests a full run executes, so that none can vanish unseen. */
export const ExpectedTests = z.object({ tests: z.int().nonnegative() })

export type TestRun = {
  /** Absent when vitest ended before it could write one. */
  report: TestReport | undefined
  exitCode: number | null
  /** How many tests a full run executes; undefined where the count doesn't matter. */
  expected: number | undefined
  mayBeSkipped: boolean
}

export type Verdict = { passed: number; failed: number; skipped: number; complaints: string[] }

/**
 * Judges a test run. Whatever is wrong beyond a failed test becomes a complaint and counts as a failure of its own,
 * so that a verdict with nothing failed means exactly: all is well.
 */
export function judge({ report, exitCode, expected, mayBeSkipped }: TestRun): Verdict {
  const passed = report?.numPassedTests ?? 0
  const failedTests = report?.numFailedTests ?? 0
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
  const complaints = report ? brokenFiles(report) : []
  if (skipped > 0 && !mayBeSkipped) {
    complaints.push(`${skipped} tests were skipped, and with CI=true none may be.`)
  }
  const executed = passed + failedTests
  if (expected !== undefined && executed !== expected) complaints.push(describeCount(executed, expected))
  if (exitCode !== 0 && failedTests + complaints.length === 0) {
    complaints.push(`vitest ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}.`)
  }
  return { passed, failed: failedTests + complaints.length, skipped, complaints }
}

/** Files that failed as a whole: they don't load, or a hook of theirs threw, so no test of theirs says so. */
function brokenFiles({ testResults }: TestReport): string[] {
  return testResults
    .filter(({ status, assertionResults }) => {
      return status === 'failed' && !assertionResults.some((test) => test.status === 'failed')
    })
    .map(({ name, message }) => `${path.basename(name)} failed as a whole: ${message.split('\n')[0]}`)
}

function describeCount(executed: number, expected: number): string {
  return (
    `${executed} tests were executed, and test/expected-tests.json expects ${expected}. ` +
    'If tests were added or removed on purpose, run `npm test -- --update-count`.'
  )
}

/** The closing line of a run, alone on its line so that a program can find it. */
export function closingLine({ passed, failed, skipped }: Omit<Verdict, 'complaints'>): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
