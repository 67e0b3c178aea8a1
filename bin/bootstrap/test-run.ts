/**
 * The test run, on a Node that runs TypeScript: the checks, then vitest. With arguments (`npm test -- test/core`)
 * only vitest runs, with these arguments.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askOnTerminal } from '../../cli/setup/ask.ts'
import { endLike, runChild } from '../../platform/bootstrap/child.mjs'
import { ensureDocker } from '../../cli/setup/docker.ts'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'
import { TESTS_MIN } from '../../vitest.config.ts'
import { REPORT_FILE, TestReport, closingLine, judge } from './test-verdict.ts'
import type { Verdict } from './test-verdict.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = join(root, 'node_modules')
/** What a full run runs: all projects with a floor. The soak has a command of its own. */
const FULL_RUN = Object.keys(TESTS_MIN).map((project) => `--project=${project}`)

type Step = { name: string; run: () => Promise<string | undefined> }

const CHECKS: readonly Step[] = [
  check('format', '@biomejs/biome/bin/biome', ['format', '.']),
  check('types', 'typescript/bin/tsc', ['--noEmit']),
  check('lint', 'oxlint/bin/oxlint', ['--type-aware', '--deny-warnings']),
  check('import directions', 'dependency-cruiser/bin/dependency-cruise.mjs', [
    '--config',
    '.dependency-cruiser.mjs',
    '.',
  ]),
]

/** Tools that the tests start find this Node and the packages' commands first. */
const env = { ...process.env, PATH: [join(packages, '.bin'), process.env['PATH'] ?? ''].join(delimiter) }
const isCi = process.env['CI'] === 'true'

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof BootstrapError) || !error.signal) throw error
  console.log(`interrupted by ${error.signal}`)
  endLike({ code: null, signal: error.signal })
}

async function main(args: readonly string[]): Promise<number> {
  const isFull = args.length === 0
  for (const step of isFull ? [docker(isFull), ...CHECKS] : [docker(isFull)]) {
    if (!(await passes(step))) return finish({ passed: 0, failed: 1, skipped: 0, complaints: [] })
  }
  const { report, exitCode } = await runVitest(isFull ? FULL_RUN : args)
  return finish(judge({ report, exitCode, floors: isFull ? TESTS_MIN : undefined, mayBeSkipped: !isCi }))
}

function finish(verdict: Verdict): number {
  for (const complaint of verdict.complaints) console.log(`FAILED  ${complaint}`)
  console.log(closingLine(verdict))
  return verdict.failed === 0 ? 0 : 1
}

async function passes({ name, run }: Step): Promise<boolean> {
  const startedAtMs = performance.now()
  const failure = await run()
  const took = `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`
  if (failure !== undefined) console.log(failure.trimEnd())
  console.log(`${failure === undefined ? 'ok     ' : 'FAILED '} ${name} (${took})`)
  return failure === undefined
}

function check(name: string, program: string, args: readonly string[]): Step {
  return { name, run: async () => runTool(program, args) }
}

/** Runs a tool of node_modules on this very Node; resolves with its output if it failed. */
async function runTool(program: string, args: readonly string[]): Promise<string | undefined> {
  let output = ''
  const onOutput = (text: string): void => {
    output += text
  }
  const { code, signal, sent } = await runChild(process.execPath, [join(packages, program), ...args], {
    cwd: root,
    env,
    onOutput,
  })
  if (sent) throw new BootstrapError(`${program} was interrupted`, { signal: sent })
  return code === 0 ? undefined : `${output}\n${program} ended with ${signal ?? `exit code ${code}`}`
}

/** Part of the tests runs containers; where only some tests are asked for, they may be the others. */
function docker(isRequired: boolean): Step {
  return {
    name: 'Docker Engine',
    run: async () => {
      const state = await ensureDocker({
        env: process.env,
        isTTY: process.stdin.isTTY && process.stderr.isTTY && !isCi,
        ask: askOnTerminal,
        print: (line) => console.log(`        ${line}`),
      })
      if (state.state === 'ready') return undefined
      const explanation = `${state.reason}\n${state.howTo}`
      if (isRequired) return explanation
      console.log(explanation)
      return undefined
    },
  }
}

async function runVitest(
  args: readonly string[],
): Promise<{ report: TestReport | undefined; exitCode: number | null }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-tests-'))
  const reportFile = join(folder, 'report.json')
  try {
    const command = [join(packages, 'vitest', 'vitest.mjs'), 'run', ...args]
    const { code, sent } = await runChild(process.execPath, command, {
      cwd: root,
      env: { ...env, [REPORT_FILE]: reportFile },
    })
    if (sent) throw new BootstrapError('vitest was interrupted', { signal: sent })
    return { report: await readReport(reportFile), exitCode: code }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function readReport(path: string): Promise<TestReport | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : TestReport.parse(JSON.parse(text))
}
