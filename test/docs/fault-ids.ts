import type { RepositoryFile } from '../tidy/repository-files.ts'
import { mask } from '../tidy/source-text.ts'

/** A row of docs/faults.md, in the order of the page. */
export interface FaultRow {
  /** As it is written everywhere: `K17`, `F1a`, `inv. 14`. */
  readonly id: string
  readonly anchor: string
  readonly meaning: string
}

const ROW = /^\| (?:<a id="([^"]*)"><\/a>)?([A-Z]\d+[a-z]?|inv\. \d+) \| (.*) \|$/gm

export function readFaultRows(page: string): FaultRow[] {
  return [...page.matchAll(ROW)].map(([, anchor = '', id = '', meaning = '']) => ({ id, anchor, meaning }))
}

/** Stand in comments and strings, look like ids and are none: an engine, a version, a label, the time of fixtures. */
const LOOKALIKES = new Set(['V8', 'V1', 'X64', 'T0'])

const ID = /(?<![\w.\-/+$%])[A-Z]\d{1,2}[a-z]?(?![\w-])/g
const INVARIANTS = /\binv(?:\.|ariants?) (\d+(?:(?:–|, | and )\d+)*)/gi

/** `path names ID`, for each id in a comment, a string or a page that has no row. */
export function findUnknownIds(files: readonly RepositoryFile[], rows: readonly FaultRow[]): string[] {
  const known = new Set(rows.map(({ id }) => id))
  return files.flatMap(({ path, text }) =>
    [...new Set(idsIn(wordsOf(path, text)))]
      .filter((id) => !known.has(id))
      .map((id) => `${path} names ${id}`),
  )
}

function idsIn(words: string): string[] {
  const ids = [...words.matchAll(ID)].map(([id]) => id).filter((id) => !LOOKALIKES.has(id))
  const invariants = [...words.matchAll(INVARIANTS)].flatMap(
    ([, numbers = '']) => numbers.match(/\d+/g) ?? [],
  )
  return [...ids, ...invariants.map((number) => `inv. ${number}`)]
}

/** What people write to people: names of variables such as `H1` are code. */
function wordsOf(path: string, text: string): string {
  if (!/\.(ts|mts|mjs)$/.test(path)) return text
  const code = mask(text)
  return text.replace(/./gs, (character, index: number) => (code[index] === character ? ' ' : character))
}

const COMMENT = /\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n?)+|\/\/.*/gm
/** An id alone, or with a word or two, explains nothing to somebody who doesn't know the id. */
const SENTENCE_WORDS_MIN = 6

/** `path: comment`, for each comment that names an id and has no sentence beside it. */
export function findBareIds(files: readonly RepositoryFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    [...wordsOf(path, text).matchAll(COMMENT)]
      .map(([comment]) => comment)
      .filter((comment) => idsIn(comment).length > 0)
      .filter((comment) => wordsBeside(comment) < SENTENCE_WORDS_MIN)
      .map((comment) => `${path}: ${comment.trim()}`),
  )
}

function wordsBeside(comment: string): number {
  return (
    comment
      .replaceAll(ID, '')
      .replaceAll(INVARIANTS, '')
      .match(/\p{L}{2,}/gu)?.length ?? 0
  )
}
