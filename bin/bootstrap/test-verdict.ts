import * as path from 'node:path'
import * as z from 'zod'

/** Names the variable by which a run tells its reporter where the report goes. */
export const REPORT_FILE = 'SLIPWAY_TEST_REPORT'

const FileReport = z.object({
  /** The project of vitest.config.ts that ran the file. */
  project: z.string(),
  /** The file's path in the repository. */
  name: z.string(),
  passed: z.int(),
  failed: z.int(),
  skipped: z.int(),
  /** What failed outside of any test: the file doesn't load, or a hook threw. */
  errors: z.array(z.string()),
  durationMs: z.int(),
})
export type FileReport = z.infer<typeof FileReport>

/** What test-reporter.ts writes about a run. */
export const TestReport = z.object({ files: z.array(FileReport) })
export type TestReport = z.infer<typeof TestReport>

export type TestRun = {
  /** Absent when vitest ended before it could write one. */
  report: TestReport | undefined
  exitCode: number | null
  /** How many tests each project executes at least; undefined where only some tests were asked for. */
  floors: Readonly<Record<string, number>> | undefined
  mayBeSkipped: boolean
}

export type Verdict = { passed: number; failed: number; skipped: number; complaints: string[] }

/**
 * Judges a test run. Whatever is wrong beyond a failed test becomes a complaint and counts as a failure of its own,
 * so that a verdict with nothing failed means exactly: all is well.
 */
export function judge({ report, exitCode, floors = {}, mayBeSkipped }: TestRun): Verdict {
  const files = report?.files ?? []
  const passed = sum(files, 'passed')
  const failedTests = sum(files, 'failed')
  const skipped = sum(files, 'skipped')
  const complaints = files.flatMap(brokenFile)
  if (skipped > 0 && !mayBeSkipped) {
    complaints.push(`${skipped} tests were skipped, and with CI=true none may be.`)
  }
  if (report) complaints.push(...missingTests(files, floors))
  if (exitCode !== 0 && failedTests + complaints.length === 0) {
    complaints.push(`vitest ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}.`)
  }
  return { passed, failed: failedTests + complaints.length, skipped, complaints }
}

function sum(files: readonly FileReport[], what: 'passed' | 'failed' | 'skipped'): number {
  return files.reduce((total, file) => total + file[what], 0)
}

/** A file that failed as a whole, so that no failed test says so. */
function brokenFile({ name, failed, errors }: FileReport): string[] {
  const [error] = errors
  if (error === undefined || failed > 0) return []
  return [`${path.basename(name)} failed as a whole: ${error.split('\n')[0]}`]
}

/** Projects that executed fewer tests than they must, so that none can vanish unseen. */
function missingTests(files: readonly FileReport[], floors: Readonly<Record<string, number>>): string[] {
  return Object.entries(floors).flatMap(([project, floor]) => {
    const own = files.filter((file) => file.project === project)
    const executed = sum(own, 'passed') + sum(own, 'failed')
    if (executed >= floor) return []
    return [
      `The project ${project} executed ${executed} tests; TESTS_MIN in vitest.config.ts asks for at least ${floor}. ` +
        'If tests were removed on purpose, lower it there.',
    ]
  })
}

/** The closing line of a run, alone on its line so that a program can find it. */
export function closingLine({ passed, failed, skipped }: Omit<Verdict, 'complaints'>): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
