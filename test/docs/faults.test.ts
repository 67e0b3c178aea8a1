import { describe, expect, it } from 'vitest'
import { readRepository } from '../tidy/repository-files.ts'
import { isProductionCode } from '../tidy/function-sizes.ts'
import { findBareIds, findUnknownIds, readFaultRows } from './fault-ids.ts'

const PAGE = 'docs/faults.md'
const files = readRepository().filter(({ path }) => /\.(ts|mts|mjs|md|yaml|yml)$/.test(path))
const rows = readFaultRows(files.find(({ path }) => path === PAGE)?.text ?? '')

/** This test plants ids that are none. */
const isExample = (path: string) => path === 'test/docs/faults.test.ts'

describe('docs/faults.md', () => {
  it('has a row for every id that code, tests and pages name', () => {
    expect(
      findUnknownIds(
        files.filter(({ path }) => !isExample(path)),
        rows,
      ),
    ).toEqual([])
  })

  it.each([
    ['core/a.ts', '// K99: a fault that nobody knows', 'K99'],
    ['core/a.ts', '/** Late (Q1). */', 'Q1'],
    ['test/a.test.ts', "it('W7, W99: is late', () => {})", 'W99'],
    ['test/a.test.ts', 'it(`F1z: ${W7} is late`, () => {})', 'F1z'],
    ['test/a.test.ts', "it('inv. 3, 21: holds', () => {})", 'inv. 21'],
    ['core/a.ts', '// Invariants 3 and 22 hold.', 'inv. 22'],
    ['docs/a.md', 'See K98.', 'K98'],
  ])('lacks the id planted in %s: %s', (path, text, id) => {
    expect(findUnknownIds([{ path, text }], rows)).toEqual([`${path} names ${id}`])
  })

  it.each([
    ['core/a.ts', 'const K99 = H77 // K17'],
    ['core/a.ts', "const a = '0xA1 UTF8 sha256-B2 v1.C3 a/D99 SHA1'"],
    ['core/a.ts', 'const a = /[A-Z0-9]/'],
    ['test/a.test.ts', 'it(`inv. ${H99}: notices`, () => {})'],
    ['docs/a.md', 'W5–W8, inv. 1–12, 14–17, S1–S12 and F1a'],
  ])('takes nothing else for an id: %s: %s', (path, text) => {
    expect(findUnknownIds([{ path, text }], rows)).toEqual([])
  })

  it('has the twenty invariants, and every row of the capabilities', () => {
    const numbers = (letter: string, count: number) =>
      Array.from({ length: count }, (_, n) => `${letter}${n + 1}`)
    const expected = [...numbers('inv. ', 20), ...numbers('A', 4), ...numbers('H', 10), ...numbers('S', 12)]
    const ids = new Set(rows.map(({ id }) => id))
    expect(expected.filter((id) => !ids.has(id))).toEqual([])
  })

  it('can be linked to row by row, each once, in order, with a meaning', () => {
    const ids = rows.map(({ id }) => id)
    const inOrder = (left: string, right: string) => left.localeCompare(right, 'en', { numeric: true })
    const [invariants, others] = [ids.slice(0, 20), ids.slice(20)]
    expect(invariants).toEqual(invariants.toSorted(inOrder))
    expect(others).toEqual([...new Set(others)].toSorted(inOrder))
    const wrong = rows.filter(
      ({ id, anchor, meaning }) => anchor !== id.toLowerCase().replace('. ', '-') || !/\w{3}/.test(meaning),
    )
    expect(wrong).toEqual([])
  })
})

describe('an id in production code', () => {
  it('has its sentence beside it', () => {
    expect(findBareIds(files.filter(({ path }) => isProductionCode(path)))).toEqual([])
  })

  it.each(['/** K17. */', '// See L14 and inv. 8', 'a() // (W7, W8): late'])(
    'is found bare in %s',
    (text) => {
      expect(findBareIds([{ path: 'core/a.ts', text }])).toHaveLength(1)
    },
  )

  it.each([
    '/** One agent per folder: a second one is refused (K18). */',
    '// The host may come back between\n// any two of these writes (E3).',
    "log('L14')",
  ])('is explained in %s', (text) => {
    expect(findBareIds([{ path: 'core/a.ts', text }])).toEqual([])
  })
})
