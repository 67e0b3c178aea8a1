/** A reporter for vitest: writes what each test file came to, with its project, for the verdict on the run. */
import { writeFile } from 'node:fs/promises'
import type { Reporter, TestModule } from 'vitest/node'
import type { FileReport, TestReport } from './test-verdict.ts'

export class VerdictReporter implements Reporter {
  readonly #reportFile: string

  constructor(reportFile: string) {
    this.#reportFile = reportFile
  }

  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    const report: TestReport = { files: modules.map(summarize) }
    await writeFile(this.#reportFile, JSON.stringify(report))
  }
}

function summarize(module: TestModule): FileReport {
  const states = [...module.children.allTests()].map((test) => test.result().state)
  const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length
  const suites = [...module.children.allSuites()]
  return {
    project: module.project.name,
    name: module.relativeModuleId,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped', 'pending'),
    errors: [module, ...suites].flatMap((part) => part.errors().map(({ message }) => message)),
    durationMs: Math.round(module.diagnostic().duration),
  }
}
