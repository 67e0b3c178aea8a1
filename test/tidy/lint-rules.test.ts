import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'

/** Rules of ours that oxlint checks: what each must report, and what comes close and is right. */
const RULES = {
  'import(no-default-export)': {
    wrong: [
      ['core/plan/a.ts', 'export default 1'],
      ['core/plan/a.ts', 'const a = 1\nexport { a as default }'],
      ['test/a.test.ts', 'export default 1'],
    ],
    right: [
      ['vitest.config.ts', 'export default {}'],
      ['local/foreign.d.ts', "declare module 'foreign' {\n  export default function foreign(): void\n}"],
    ],
  },
  'eslint(no-restricted-properties)': {
    wrong: [
      ['agent/hub/a.ts', 'export const a = process.env.HOME'],
      ['agent/hub/a.ts', "export const a = process['env']"],
      ['agent/hub/a.ts', 'export const { env } = process'],
      ['agent/hub/a.ts', 'export const a = `${process?.env.HOME}`'],
      ['test/a.test.ts', "describe.skipIf(noDocker)('a', () => {})"],
      ['test/a.test.ts', "it.runIf(docker)('a', () => {})"],
      ['test/a.test.ts', "it('a', (context) => context.skip())"],
      ['test/a.test.ts', "it('a', ({ skip }) => skip())"],
    ],
    right: [
      ['agent/main.ts', 'run(process.env)'],
      ['lambdas/tick/env.ts', 'Env.parse(process.env)'],
      ['cli/run-command.ts', 'run(process.env)'],
      ['test/a.test.ts', 'run(process.env)'],
    ],
  },
  'eslint(no-restricted-imports)': {
    wrong: [
      ['agent/hub/a.ts', "import { env } from 'node:process'"],
      ['agent/hub/a.ts', "import { env as a } from 'process'"],
    ],
    right: [['agent/hub/a.ts', "import { env } from './env.ts'\nimport { exit } from 'node:process'"]],
  },
  'eslint(no-console)': {
    wrong: [
      ['core/plan/a.ts', 'console.log(1)'],
      ['cli/options.ts', 'console.log(1)'],
    ],
    right: [
      ['bin/slipway.ts', 'console.log(1)'],
      ['cli/run-command.ts', 'console.log(1)'],
    ],
  },
  'typescript(no-explicit-any)': {
    wrong: [
      ['core/plan/a.ts', 'let a: any'],
      ['core/plan/a.ts', 'const a: Map<string, any> = b as any'],
      ['test/a.test.ts', 'type F = () => any'],
    ],
    right: [['core/plan/a.ts', '// any: b as any\nconst any = { any: 2 }']],
  },
  'typescript(ban-ts-comment)': {
    wrong: [
      ['core/plan/a.ts', '// @ts-ignore\na()'],
      ['core/plan/a.ts', '// @ts-nocheck\na()'],
      ['test/a.test.ts', '// @ts-expect-error: no\na()'],
    ],
    right: [['core/plan/a.ts', '// @throws an error\na()']],
  },
  'typescript(consistent-type-imports)': {
    wrong: [['core/plan/a.ts', "let a: import('../../adapters/memory/index.ts').Store"]],
    right: [['core/plan/a.ts', "const a = (await import('./b.ts')).Store"]],
  },
  'unicorn(import-style)': {
    wrong: [
      ['core/plan/a.ts', "import { z } from 'zod'"],
      ['core/plan/a.ts', "import z from 'zod'"],
      ['core/plan/a.ts', "import type { ZodType } from 'zod'"],
      ['core/plan/a.ts', "import { object } from 'zod/mini'"],
    ],
    right: [['core/plan/a.ts', "import * as z from 'zod'\nimport * as mini from 'zod/mini'"]],
  },
  'vitest(no-disabled-tests)': {
    wrong: [
      ['test/a.test.ts', "it.skip('a', () => {})"],
      ['test/a.test.ts', "describe.concurrent.skip('a', () => {})"],
      ['test/a.test.ts', "xit('a', () => {})"],
    ],
    right: [['test/a.test.ts', "it('a', () => 'it.skip')"]],
  },
  'vitest(no-focused-tests)': {
    wrong: [
      ['test/a.test.ts', "it.only('a', () => {})"],
      ['test/a.test.ts', "describe.concurrent.only('a', () => {})"],
    ],
    right: [['test/a.test.ts', "it('says what .only (it.only) says', () => {})"]],
  },
  'vitest(warn-todo)': {
    wrong: [['test/a.test.ts', "it.todo('a')"]],
    right: [['test/a.test.ts', "it('a', () => 'todo')"]],
  },
  'eslint(max-lines)': {
    wrong: [
      ['core/plan/a.ts', 'a()\n'.repeat(302)],
      ['test/a.test.ts', 'a()\n'.repeat(602)],
    ],
    right: [
      ['core/plan/a.ts', 'a()\n'.repeat(300)],
      ['test/a.test.ts', 'a()\n'.repeat(600)],
    ],
  },
} as const

/** The linter knows the functions of vitest by their import. */
const VITEST = "import { describe, it } from 'vitest'; "

const root = fileURLToPath(new URL('../..', import.meta.url))
const Report = z.object({ diagnostics: z.array(z.object({ code: z.string(), filename: z.string() })) })

type Plant = { rule: string; text: string; file: string; isWrong: boolean }

function plantsOf(rule: string, examples: readonly (readonly [string, string])[], isWrong: boolean) {
  return examples.map(
    ([path, text]): Plant => ({
      rule,
      text: path.endsWith('.test.ts') ? VITEST + text : text,
      file: path,
      isWrong,
    }),
  )
}

const PLANTS = Object.entries(RULES).flatMap(([rule, { wrong, right }]) => [
  ...plantsOf(rule, wrong, true),
  ...plantsOf(rule, right, false),
])

/** Lays out each plant in a project of its own, lints all in one run, and returns which rules report each. */
function lint(folder: string): Map<Plant, Set<string>> {
  const placed = new Map(PLANTS.map((plant, index) => [`${index}/${plant.file}`, plant]))
  for (const [path, { text }] of placed) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const index of PLANTS.keys()) {
    copyFileSync(join(root, '.oxlintrc.json'), join(folder, String(index), '.oxlintrc.json'))
  }
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
  const { stdout } = spawnSync(process.execPath, [oxlint, '--format=json', '.'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const found = new Map(PLANTS.map((plant) => [plant, new Set<string>()]))
  for (const { code, filename } of Report.parse(JSON.parse(stdout)).diagnostics) {
    const plant = placed.get(filename)
    if (plant) found.get(plant)?.add(code)
  }
  return found
}

describe('oxlint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-lint-'))
  let found = new Map<Plant, Set<string>>()

  beforeAll(() => {
    found = lint(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  for (const rule of Object.keys(RULES)) {
    it(`reports ${rule} where it must, and nowhere else`, () => {
      const own = PLANTS.filter((plant) => plant.rule === rule)
      const isReported = (plant: Plant) => found.get(plant)?.has(rule) ?? false
      const misjudged = own.filter((plant) => isReported(plant) !== plant.isWrong)
      expect(misjudged.map(({ file, text }) => `${file}: ${text.slice(0, 100).trim()}`)).toEqual([])
      expect(own.some((plant) => plant.isWrong)).toBe(true)
    })
  }
})
