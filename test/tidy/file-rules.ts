import { mask, matchesOf } from './source-text.ts'

/** A rule for single files that no linter checks: what it finds wrong in a file, by its path in the repository and its text. */
export type FileRule = {
  sentence: string
  appliesTo: (path: string) => boolean
  find: (text: string, path: string) => string[]
}

/** These two hold what the rules forbid, as examples. */
const EXAMPLES = new Set(['test/tidy.test.ts', 'test/tidy/file-rules.ts'])

const isCode = (path: string) => /\.(ts|tsx|mts|mjs)$/.test(path)
const isIn = (path: string, ...folders: string[]) => folders.some((folder) => path.startsWith(`${folder}/`))

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

/** Parts between dots count one by one: `hub-loop.test.ts`. */
const KEBAB_CASE = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/

/** Searches code only: neither comments nor strings. */
const inCode = (pattern: RegExp) => (text: string) => matchesOf(mask(text), pattern)
const inText = (pattern: RegExp) => (text: string) => matchesOf(text, pattern)

export const FILE_RULES = {
  fileNames: {
    sentence: 'files and folders have kebab-case names',
    appliesTo: () => true,
    find: (_text, path) => {
      return path.split('/').filter((name) => !KEBAB_CASE.test(name) && !CUSTOMARY_NAMES.has(name))
    },
  },
  leftovers: {
    sentence: 'no note to do something later stands in the code',
    appliesTo: (path) => path !== 'package-lock.json' && !EXAMPLES.has(path),
    find: inText(/\b(TODO|FIXME|XXX|HACK)\b/g),
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
  synonyms: {
    sentence: 'names use the words of the glossary, never a synonym',
    appliesTo: (path) => isCode(path) && !isIn(path, 'lib'),
    find: inCode(
      /\b\w*([cC]ooldown|[cC]ontrolPlane|[wW]orkerNode|[dD]ockerNode|[hH]ostNode|[jJ]obSource|[dD]emandProvider|[rR]unnerPod)\w*/g,
    ),
  },
} satisfies Record<string, FileRule>

export type FileRuleName = keyof typeof FILE_RULES
