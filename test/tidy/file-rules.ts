import { posix } from 'node:path'
import { importsOf, mask, matchesOf } from './source-text.ts'

/** A rule for single files: what it finds wrong in a file, by its path in the repository and its text. */
export type FileRule = {
  sentence: string
  appliesTo: (path: string) => boolean
  find: (text: string, path: string) => string[]
}

const CODE_LINES_MAX = 300
const TEST_LINES_MAX = 600

/** These two hold what the rules forbid, as examples. */
const EXAMPLES = new Set(['test/tidy.test.ts', 'test/tidy/file-rules.ts'])

const isCode = (path: string) => /\.(ts|tsx|mts|mjs)$/.test(path)
const isTypeScript = (path: string) => /\.(ts|tsx|mts)$/.test(path)
const isIn = (path: string, ...folders: string[]) => folders.some((folder) => path.startsWith(`${folder}/`))
const isConfig = (path: string) => /(^|\/)(\.dependency-cruiser\.mjs|[a-z]+\.config\.ts)$/.test(path)

/** Files whose name may follow the world's custom instead of ours. */
const CUSTOMARY_NAMES = new Set([
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'ISSUE_TEMPLATE',
  'PULL_REQUEST_TEMPLATE.md',
  'LICENSE',
  'NOTICE',
  'Dockerfile',
])

/** Gives every command its environment, input and output. */
const RUNS_COMMANDS = 'cli/run-command.ts'

/** Parts between dots count one by one: `hub-loop.test.ts`. */
const KEBAB_CASE = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/

/** Searches code only: neither comments nor strings. */
const inCode = (pattern: RegExp) => (text: string) => matchesOf(mask(text, 'comments and strings'), pattern)
const inText = (pattern: RegExp) => (text: string) => matchesOf(text, pattern)

function findImports(isWrong: (specifier: string, clause: string) => boolean) {
  return (text: string) =>
    importsOf(text)
      .filter(({ specifier, clause }) => isWrong(specifier, clause))
      .map(({ specifier, clause, line }) => `line ${line}: ${clause} from ${specifier}`)
}

export const FILE_RULES = {
  fileNames: {
    sentence: 'files and folders have kebab-case names',
    appliesTo: () => true,
    find: (_text, path) => {
      return path.split('/').filter((name) => !KEBAB_CASE.test(name) && !CUSTOMARY_NAMES.has(name))
    },
  },
  defaultExports: {
    sentence: 'nothing is a default export',
    appliesTo: (path) => isCode(path) && !isConfig(path) && !path.endsWith('.d.ts'), // which describe foreign code
    find: inCode(/\bexport\s+default\b|\bas\s+default\s*[,}]/g),
  },
  environment: {
    sentence: 'only env.ts, wiring.ts, main.ts and the one place that runs commands read the environment',
    appliesTo: (path) =>
      isCode(path) &&
      !isIn(path, 'bin', 'test') &&
      !/^(env|wiring|main)\.ts$/.test(posix.basename(path)) &&
      path !== RUNS_COMMANDS,
    find: (text) => [
      ...inCode(/\bprocess\s*(\?\.|\.)\s*env\b|\bprocess\s*\[|\{[^{}]*\benv\b[^{}]*\}\s*=\s*process\b/g)(
        text,
      ),
      ...findImports((specifier, clause) => /^(node:)?process$/.test(specifier) && /\benv\b/.test(clause))(
        text,
      ),
    ],
  },
  console: {
    sentence: 'only bin/ and the one place that runs commands write to the console',
    appliesTo: (path) => isCode(path) && !isIn(path, 'bin') && path !== RUNS_COMMANDS,
    find: inCode(/\bconsole\s*\.\s*\w+/g),
  },
  leftovers: {
    sentence: 'no note to do something later stands in the code',
    appliesTo: (path) => path !== 'package-lock.json' && !EXAMPLES.has(path),
    find: inText(/\b(TODO|FIXME|XXX|HACK)\b/g),
  },
  anyType: {
    sentence: 'nothing is of type any',
    appliesTo: isTypeScript,
    find: inCode(/(:|\bas\b|[<,|&=]|=>)\s*any\b(?!\s*[:(=])/g),
  },
  typeCheckOff: {
    sentence: 'the type check is switched off nowhere',
    appliesTo: (path) => isCode(path) && !EXAMPLES.has(path),
    find: inText(/@ts-(ignore|expect-error|nocheck)/g),
  },
  skippedTests: {
    sentence: 'no test is skipped, left for later or run alone',
    appliesTo: (path) => isIn(path, 'test'),
    find: inCode(
      /\b(it|test|describe|suite|bench)\s*(\.\s*\w+\s*)*\.\s*(only|skip|todo|skipIf|runIf)\b|\bx(it|describe|test)\s*\(|\b(ctx|context|task|t)\s*\.\s*skip\s*\(/g,
    ),
  },
  length: {
    sentence: `code files have at most ${CODE_LINES_MAX} lines, tests ${TEST_LINES_MAX}`,
    appliesTo: isCode,
    find: (text, path) => {
      const lines = text.trimEnd().split('\n').length
      const linesMax = isIn(path, 'test') ? TEST_LINES_MAX : CODE_LINES_MAX
      return lines > linesMax ? [`${lines} lines`] : []
    },
  },
  generated: {
    sentence: 'no file is generated',
    appliesTo: (path) => isCode(path) && !EXAMPLES.has(path),
    find: inText(
      /@generated\b|\b(auto-?generated|generated (by|from|file)|do not edit)\b|sourceMappingURL=/gi,
    ),
  },
  machinePaths: {
    sentence: 'no path of a developer machine stands in a file',
    appliesTo: (path) => !EXAMPLES.has(path),
    find: inText(/(?<![\w.~-])\/(work\/(main|shared)|Users|root|home\/(?!runner\b)[a-z]\w*)\b\/?/g),
  },
  zodImports: {
    sentence: 'zod is imported as a namespace, which bundles four times smaller',
    appliesTo: isCode,
    find: findImports(
      (specifier, clause) => /^zod(\/|$)/.test(specifier) && !/^(type )?\* as \w+$/.test(clause),
    ),
  },
  dockerodeImports: {
    sentence: 'only agent/engines/docker* and tests import dockerode',
    appliesTo: (path) => isCode(path) && !isIn(path, 'test') && !path.startsWith('agent/engines/docker'),
    find: findImports((specifier) => /^dockerode(\/|$)/.test(specifier)),
  },
  adapterChoice: {
    sentence: 'only lambdas/wiring.ts, local/ and cli/ choose adapters',
    appliesTo: (path) =>
      isCode(path) && !isIn(path, 'adapters', 'test', 'local', 'cli') && path !== 'lambdas/wiring.ts',
    find: findImports((specifier) => /(^|\/)adapters\//.test(specifier)),
  },
  inlineTypeImports: {
    sentence: 'types are imported by statements, which the check of import directions sees',
    appliesTo: isTypeScript,
    find: (text) =>
      matchesOf(mask(text, 'comments and strings'), /(?<!\bawait\s+)\bimport\(\s*\)\s*\.\s*[A-Z]\w*/g),
  },
  synonyms: {
    sentence: 'names use the words of the glossary, never a synonym',
    appliesTo: (path) => isCode(path) && !isIn(path, 'lib'),
    find: inCode(
      /\b\w*([cC]ooldown|[cC]ontrolPlane|[wW]orkerNode|[dD]ockerNode|[hH]ostNode|[jJ]obSource|[dD]emandProvider|[rR]unnerPod)\w*/g,
    ),
  },
} satisfies Record<string, FileRule>

export type FileRuleName = keyof typeof FILE_RULES
