import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type RepositoryFile, readRepository } from '../tidy/repository-files.ts'

const files = readRepository()

/** As GitHub makes them of a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slugOf(heading))
  return new Set([...headings, ...Array.from(page.matchAll(/<a id="([^"]+)">/g), ([, id = '']) => id)])
}

/** Links of a page to files and headings that are not there. */
function brokenLinks({ path, text }: RepositoryFile, all: readonly RepositoryFile[]): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [relative = '', anchor] = target.split('#')
      const wanted = relative === '' ? path : posix.join(posix.dirname(path), relative)
      const file = all.find((candidate) => candidate.path === wanted)
      const folder = wanted.endsWith('/') && all.some((candidate) => candidate.path.startsWith(wanted))
      if (anchor === undefined) return file === undefined && !folder
      return file === undefined || !anchorsOf(file.text).has(anchor)
    })
    .map((target) => `${path}: ${target}`)
}

/** Paths in backquotes that begin with a folder of the repository, and match no file. `*` stands for a part of a name. */
function unknownPaths({ path, text }: RepositoryFile, all: readonly RepositoryFile[]): string[] {
  const folders = new Set(all.map((file) => file.path.split('/')[0]))
  const named = [...text.matchAll(/`([\w.-]+\/[\w./*-]*)`/g)].map(([, name = '']) => name)
  return named
    .filter((name) => folders.has(name.split('/')[0]))
    .filter((name) => {
      const pattern = name.replaceAll('.', String.raw`\.`).replaceAll('*', '[^/]*')
      const wanted = new RegExp(`^${pattern}${name.endsWith('/') ? '' : '(/|$)'}`)
      return !all.some((file) => wanted.test(file.path))
    })
    .map((name) => `${path}: ${name}`)
}

describe('the pages', () => {
  const pages = files.filter(({ path }) => path.endsWith('.md'))

  it('link only to files and headings that are there', () => {
    expect(pages.flatMap((page) => brokenLinks(page, files))).toEqual([])
  })

  it.each(['gone.md', 'a.md#gone', '#gone', '../gone/'])('would be found to link to %s', (target) => {
    const page = { path: 'docs/a.md', text: `# Here\n[a](a.md#here) [b](#here) [c](../docs/) [d](${target})` }
    expect(brokenLinks(page, [page])).toEqual([`docs/a.md: ${target}`])
  })

  it('name only files and folders that are there', () => {
    const current = pages.filter(({ path }) => !path.startsWith('docs/adr/'))
    expect(current.flatMap((page) => unknownPaths(page, files))).toEqual([])
  })

  it('would be found to name others', () => {
    const page = {
      path: 'a.md',
      text: '`core/b.ts`, `core/*.ts`, `core/`, `core/{b,c}.ts`, `npm/x`, `core/d.ts`, `core/e/`',
    }
    const there = [page, { path: 'core/b.ts', text: '' }]
    expect(unknownPaths(page, there)).toEqual(['a.md: core/d.ts', 'a.md: core/e/'])
  })

  it('are all in the index of docs, but for decisions, which have a folder', () => {
    const index = files.find(({ path }) => path === 'docs/README.md')?.text ?? ''
    const inDocs = files.map(({ path }) => path).filter((path) => /^docs\/(?!adr\/|README)/.test(path))
    expect(inDocs.filter((path) => !index.includes(`](${path.slice('docs/'.length)})`))).toEqual([])
  })
})

describe('docs/glossary.md', () => {
  const page = files.find(({ path }) => path === 'docs/glossary.md')?.text ?? ''
  const rows = [...page.matchAll(/^\| <a id="([^"]+)"><\/a>([^|]+) \| (.+) \|$/gm)]
  const words = rows.map(([, , word = '']) => word)

  it('has each word once, in order, with one line and a link of its own', () => {
    expect(words).toEqual([...new Set(words)].toSorted((left, right) => left.localeCompare(right, 'en')))
    expect(rows.filter(([, anchor, word = '']) => anchor !== slugOf(word))).toEqual([])
    expect(page.match(/^\| (?!word|---)/gm)).toHaveLength(rows.length)
  })

  it.each([
    'job',
    'source',
    'template',
    'host',
    'agent',
    'hub',
    'reservation',
    'runner',
    'slot',
    'assignment',
    'launch',
    'report',
    'epoch',
    'backoff',
    'lease',
    'fence',
    'mint',
    'tombstone',
    'sweep',
    'journal',
    'ledger',
    'outbox',
  ])('explains %s', (word) => expect(words).toContain(word))
})
