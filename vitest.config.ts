import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    allowOnly: false,
    // Bounds for a machine that does other things as well: no test measures time.
    testTimeout: 60_000,
    hookTimeout: 120_000,
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
