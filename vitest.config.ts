import { defineConfig } from 'vitest/config'
import { VerdictReporter } from './bin/bootstrap/test-reporter.ts'
import { REPORT_FILE } from './bin/bootstrap/test-verdict.ts'

/**
 * How many tests a full run executes at least, by project, so that none can vanish unseen. Raise a number when a
 * project has grown by some dozens; lower it only where tests were removed on purpose.
 */
export const TESTS_MIN = { unit: 2300, machine: 146, faults: 28 }

/** Tests whose files share the machine's Docker Engine, fixed ports or the whole CPU. */
const MACHINE_TESTS = [
  'test/docker/engine-docker.test.ts',
  'test/e2e/**/*.test.ts',
  'test/upgrade/**/*.test.ts',
  'test/assembly/demo*.test.ts',
]
/** Faults on a real engine. They mostly wait, so two files run side by side. */
const FAULT_TESTS = ['test/docker/**/*.test.ts']
/** Ten minutes of jobs and faults: `npm run test:soak`. */
const SOAK_TESTS = ['test/soak/**/*.test.ts']

const reportFile = process.env[REPORT_FILE]

export default defineConfig({
  test: {
    ...(reportFile && { reporters: ['default', new VerdictReporter(reportFile)] }),
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    allowOnly: false,
    // Longer than the patience of test/support/eventually.ts, which says what never came. No test measures time.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000, interval: 25 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...MACHINE_TESTS, ...FAULT_TESTS, ...SOAK_TESTS],
        },
      },
      {
        extends: true,
        // Their own group: they start when the unit tests are done, one file after another.
        test: {
          name: 'machine',
          include: MACHINE_TESTS,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: FAULT_TESTS,
          exclude: MACHINE_TESTS,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: { name: 'soak', include: SOAK_TESTS, sequence: { groupOrder: 3 } },
      },
    ],
  },
})
