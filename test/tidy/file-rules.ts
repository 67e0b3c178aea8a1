import { mask, matchesOf } from './source-text.ts'
import { REPLACED_WORDS, textsOf } from './words.ts'

/** A rule for single files that no linter checks: what it finds wrong in a file, by its path in the repository and its text. */
export type FileRule = {
  sentence: string
  appliesTo: (path: string) => boolean
  find: (text: string, path: string) => string[]
}

/** These hold what the rules forbid, as examples. */
const EXAMPLES = new Set(['test/tidy.test.ts', 'test/tidy/file-rules.ts', 'test/tidy/words.ts'])
/** Pages with the old words on purpose: decisions are history, and the glossary and the changes name them. */
const MAY_NAME_OLD_WORDS = /^(docs\/adr\/|docs\/glossary\.md|CHANGELOG\.md)/

const isCode = (path: string) => /\.(ts|tsx|mts|mjs)$/.test(path)

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
    sentence: 'names and texts use the words of the glossary, never a word that was replaced',
    appliesTo: (path) =>
      (isCode(path) || path.endsWith('.md')) && !EXAMPLES.has(path) && !MAY_NAME_OLD_WORDS.test(path),
    find: (text, path) => {
      const names = isCode(path) ? mask(text) : ''
      const texts = textsOf(text, isCode(path))
      return REPLACED_WORDS.flatMap(({ in: where, pattern, say }) =>
        matchesOf(where === 'names' ? names : texts, pattern).map((found) => `${found}: say ${say}`),
      )
    },
  },
} satisfies Record<string, FileRule>

export type FileRuleName = keyof typeof FILE_RULES
