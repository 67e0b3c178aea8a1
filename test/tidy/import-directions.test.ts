import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'

const root = fileURLToPath(new URL('../..', import.meta.url))
const rulesFile = join(root, '.dependency-cruiser.mjs')
const cruiser = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs')

/** Packages of the made-up tree, each a file; `development` ones stand in devDependencies. */
const PACKAGES = {
  production: ['zod', 'yaml', 'ws', 'dockerode', 'aws-cdk-lib'],
  development: ['vitest'],
}

/** What may be imported: one tree that follows every rule, so that a rule which forbids too much shows as well. */
const ALLOWED: Record<string, string> = {
  'core/model/host.ts': "import { ids } from './ids.ts'\nexport const host = ids",
  'core/model/ids.ts': 'export const ids = 1\nexport type Ids = number',
  'core/ports/clock.ts': "import type { Ids } from '../model/ids.ts'\nexport type Clock = Ids",
  'core/ports/index.ts': "export type { Clock } from './clock.ts'",
  'core/concurrency/backoff.ts':
    "import type { Clock } from '../ports/clock.ts'\nexport const backoff: Clock = 1",
  'core/plan/placement/place.ts':
    "import { backoff } from '../../concurrency/backoff.ts'\nimport type { Ids } from '../../model/ids.ts'\nexport const place: Ids = backoff",
  'core/flows/shared.ts': "import type { Clock } from '../ports/index.ts'\nexport type Shared = Clock",
  'core/flows/planner/planner.ts':
    "import { place } from '../../plan/placement/place.ts'\nimport type { Shared } from '../shared.ts'\nexport const loop: Shared = place",
  'core/flows/leadership/run.ts': "import { loop } from '../planner/planner.ts'\nexport const run = loop",
  'protocol/agent.ts':
    "import * as z from 'zod'\nimport { ids } from '../core/model/ids.ts'\nexport const hello = [z, ids]",
  'config/templates.ts':
    "import { parse } from 'yaml'\nimport * as z from 'zod'\nexport const read = [parse, z]",
  'platform/bootstrap/child.mjs': "import 'node:child_process'\nexport const child = 1",
  'platform/lock.ts': "import 'node:fs'\nimport { ids } from '../core/model/ids.ts'\nexport const lock = ids",
  'adapters/one/index.ts':
    "import { Buffer } from 'node:buffer'\nimport type { Clock } from '../../core/ports/index.ts'\nimport { lock } from '../../platform/lock.ts'\nimport { more } from './more.ts'\nexport const one: Clock[] = [more, lock, Buffer.length]",
  'adapters/one/more.ts': 'export const more = 1',
  'adapters/two/index.ts': 'export const two = 2',
  'adapters/dynamodb/schema.ts': 'export const schema = 1',
  'lambdas/tick/env.ts': "import * as z from 'zod'\nexport const Env = z",
  'lambdas/tick/handler.ts':
    "import { wiring } from '../wiring.ts'\nimport { Env } from './env.ts'\nexport const handler = [wiring, Env]",
  'lambdas/wiring.ts':
    "import { one } from '../adapters/one/index.ts'\nimport { loop } from '../core/flows/planner/planner.ts'\nexport const wiring = [one, loop]",
  'agent/main.ts':
    "import { engine } from './engines/docker.ts'\nimport { backoff } from '../core/concurrency/backoff.ts'\nimport ws from 'ws'\nexport const main = [engine, backoff, ws]",
  'agent/engines/docker.ts': "import Docker from 'dockerode'\nexport const engine = Docker",
  'sandbox/runner/run.ts': "import 'node:http'\nexport const runner = 1",
  'sandbox/index.ts': "import { runner } from './runner/run.ts'\nexport const sandbox = runner",
  'demo/image.ts':
    "import { engine } from '../agent/engines/docker.ts'\nimport { sandbox } from '../sandbox/index.ts'\nexport const image = [engine, sandbox]",
  'console/page.ts': "import { hello } from '../protocol/agent.ts'\nexport const page = hello",
  'local/adapters.ts':
    "import { two } from '../adapters/two/index.ts'\nimport { main } from '../agent/main.ts'\nimport { handler } from '../lambdas/tick/handler.ts'\nexport const local = [two, main, handler]",
  'cli/start.ts':
    "import { image } from '../demo/image.ts'\nimport { local } from '../local/adapters.ts'\nimport { page } from '../console/page.ts'\nexport const start = [image, local, page]",
  'lib/stack.ts':
    "import cdk from 'aws-cdk-lib'\nimport { schema } from '../adapters/dynamodb/schema.ts'\nimport { ids } from '../core/model/ids.ts'\nimport { Env } from '../lambdas/tick/env.ts'\nexport const stack = [cdk, schema, ids, Env]",
  'bin/slipway.ts':
    "import { start } from '../cli/start.ts'\nimport { stack } from '../lib/stack.ts'\nimport { lock } from '../platform/lock.ts'\nexport const run = [start, stack, lock]",
  'test/loop.test.ts':
    "import Docker from 'dockerode'\nimport { it } from 'vitest'\nimport { loop } from '../core/flows/planner/planner.ts'\nit('', () => [Docker, loop])",
}

/** One line each: the importing file, what it says, and the path that must be reported. */
const FORBIDDEN: [file: string, statement: string, target: string][] = [
  ['core/flows/bad-zod.ts', "import * as z from 'zod'", 'node_modules/zod/index.js'],
  ['core/flows/bad-node.ts', "import { readFile } from 'node:fs'", 'fs'],
  [
    'core/flows/bad-type.ts',
    "import type { One } from '../../adapters/one/index.ts'",
    'adapters/one/index.ts',
  ],
  [
    'core/flows/bad-inline-type.ts',
    "import { type One } from '../../adapters/one/index.ts'",
    'adapters/one/index.ts',
  ],
  ['core/flows/bad-export.ts', "export * from '../../protocol/agent.ts'", 'protocol/agent.ts'],
  [
    'core/flows/bad-using.ts',
    "{\n  using late = await import('../../config/templates.ts')\n}",
    'config/templates.ts',
  ],
  [
    'core/flows/bad-dynamic.ts',
    "export const late = import('../../config/templates.ts')",
    'config/templates.ts',
  ],
  [
    'core/model/bad-plan.ts',
    "import { place } from '../plan/placement/place.ts'",
    'core/plan/placement/place.ts',
  ],
  [
    'core/concurrency/bad-plan.ts',
    "import { place } from '../plan/placement/place.ts'",
    'core/plan/placement/place.ts',
  ],
  ['core/plan/bad-port.ts', "import type { Clock } from '../ports/index.ts'", 'core/ports/index.ts'],
  [
    'core/plan/bad-flow.ts',
    "import { loop } from '../flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  [
    'core/flows/planner/bad-room.ts',
    "import type { run } from '../leadership/run.ts'",
    'core/flows/leadership/run.ts',
  ],
  [
    'core/flows/admin/bad-room.ts',
    "import { run } from '../leadership/run.ts'",
    'core/flows/leadership/run.ts',
  ],
  [
    'platform/bad-flow.ts',
    "import { loop } from '../core/flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  ['platform/bootstrap/bad-model.mjs', "import { ids } from '../../core/model/ids.ts'", 'core/model/ids.ts'],
  [
    'adapters/cloudwatch/metric-names.ts',
    "import { ids } from '../../core/model/ids.ts'",
    'core/model/ids.ts',
  ],
  ['protocol/bad-node.ts', "import { Buffer } from 'node:buffer'", 'buffer'],
  ['protocol/bad-yaml.ts', "import { parse } from 'yaml'", 'node_modules/yaml/index.js'],
  ['config/bad-node.ts', "import { readFile } from 'node:fs/promises'", 'fs/promises'],
  ['config/bad-protocol.ts', "import { hello } from '../protocol/agent.ts'", 'protocol/agent.ts'],
  ['adapters/two/bad-neighbour.ts', "import { one } from '../one/index.ts'", 'adapters/one/index.ts'],
  ['adapters/two/bad-config.ts', "import { read } from '../../config/templates.ts'", 'config/templates.ts'],
  ['adapters/two/bad-engine.ts', "import Docker from 'dockerode'", 'node_modules/dockerode/index.js'],
  ['lambdas/tick/bad-agent.ts', "import { main } from '../../agent/main.ts'", 'agent/main.ts'],
  ['lambdas/tick/bad-adapter.ts', "export * from '../../adapters/one/index.ts'", 'adapters/one/index.ts'],
  ['lambdas/tick/bad-local.ts', "import { local } from '../../local/adapters.ts'", 'local/adapters.ts'],
  ['lambdas/tock/env.ts', "import { wiring } from '../wiring.ts'", 'lambdas/wiring.ts'],
  ['agent/bad-dockerode.ts', "import type Docker from 'dockerode'", 'node_modules/dockerode/index.js'],
  ['agent/bad-import.ts', "export const a = import('dockerode')", 'node_modules/dockerode/index.js'],
  [
    'agent/bad-flow.ts',
    "import { loop } from '../core/flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  ['agent/bad-adapter.ts', "import { one } from '../adapters/one/index.ts'", 'adapters/one/index.ts'],
  [
    'console/bad-core.ts',
    "import { loop } from '../core/flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  ['agent/bad-cli.ts', "import { start } from '../cli/start.ts'", 'cli/start.ts'],
  ['sandbox/runner/bad-model.ts', "import { ids } from '../../core/model/ids.ts'", 'core/model/ids.ts'],
  ['sandbox/bad-config.ts', "import { read } from '../config/templates.ts'", 'config/templates.ts'],
  ['demo/bad-local.ts', "import { local } from '../local/adapters.ts'", 'local/adapters.ts'],
  ['local/bad-cli.ts', "import { start } from '../cli/start.ts'", 'cli/start.ts'],
  ['local/bad-sandbox.ts', "import { sandbox } from '../sandbox/index.ts'", 'sandbox/index.ts'],
  ['cli/bad-lib.ts', "import { stack } from '../lib/stack.ts'", 'lib/stack.ts'],
  ['local/bad-lib.ts', "import { stack } from '../lib/stack.ts'", 'lib/stack.ts'],
  ['local/bad-dockerode.ts', "import Docker from 'dockerode'", 'node_modules/dockerode/index.js'],
  ['local/bad-cdk.ts', "import cdk from 'aws-cdk-lib'", 'node_modules/aws-cdk-lib/index.js'],
  ['local/bad-test.ts', "import '../test/loop.test.ts'", 'test/loop.test.ts'],
  ['local/bad-development.ts', "import { it } from 'vitest'", 'node_modules/vitest/index.js'],
  ['local/bad-unlisted.ts', "import unlisted from 'unlisted'", 'node_modules/unlisted/index.js'],
  ['lib/bad-handler.ts', "import { handler } from '../lambdas/tick/handler.ts'", 'lambdas/tick/handler.ts'],
  ['lib/bad-adapter.ts', "import { one } from '../adapters/one/index.ts'", 'adapters/one/index.ts'],
  [
    'lib/bad-core.ts',
    "import { loop } from '../core/flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  [
    'bin/bad-core.ts',
    "import { loop } from '../core/flows/planner/planner.ts'",
    'core/flows/planner/planner.ts',
  ],
  ['bin/bad-local.ts', "import { local } from '../local/adapters.ts'", 'local/adapters.ts'],
  ['bin/bad-path.ts', "import { gone } from '../cli/gone.ts'", '../cli/gone.ts'],
  [
    'core/flows/cycle-a.ts',
    "import { b } from './cycle-b.ts'\nexport const a = () => b",
    'core/flows/cycle-b.ts',
  ],
]

const CYCLE_END = [
  'core/flows/cycle-b.ts',
  "import { a } from './cycle-a.ts'\nexport const b = () => a",
] as const

const Report = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
  }),
})

/** Lays the files out in a folder of its own and resolves with every import that the rules report. */
function findViolations(folder: string, files: Record<string, string>): string[] {
  for (const [path, text] of Object.entries(files)) write(join(folder, path), text)
  const dependenciesOf = (names: string[]) => Object.fromEntries(names.map((name) => [name, '1.0.0']))
  const dependencies = dependenciesOf(PACKAGES.production)
  const devDependencies = dependenciesOf(PACKAGES.development)
  write(join(folder, 'package.json'), JSON.stringify({ type: 'module', dependencies, devDependencies }))
  for (const name of [...PACKAGES.production, ...PACKAGES.development, 'unlisted']) {
    write(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ name, main: 'index.js' }))
    write(join(folder, 'node_modules', name, 'index.js'), 'module.exports = {}')
  }
  const args = [cruiser, '--config', rulesFile, '--output-type', 'json', '.']
  const output = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const { violations } = Report.parse(JSON.parse(output)).summary
  return [...new Set(violations.map(({ from, to }) => `${from} → ${to}`))]
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${text}\n`)
}

describe('import directions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-imports-'))
  let reported: string[] = []

  beforeAll(() => {
    const wrong = Object.fromEntries(FORBIDDEN.map(([file, statement]) => [file, statement]))
    reported = findViolations(folder, { ...ALLOWED, ...wrong, [CYCLE_END[0]]: CYCLE_END[1] })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  for (const [file, statement, target] of FORBIDDEN) {
    it(`${file} is reported for: ${statement.replace(/\s+/g, ' ')}`, () => {
      expect(reported).toContain(`${file} → ${target}`)
    })
  }

  it('what follows the rules is not reported', () => {
    const mistaken = reported.filter((edge) => Object.hasOwn(ALLOWED, edge.split(' → ')[0] ?? ''))
    expect(mistaken).toEqual([])
  })
})
