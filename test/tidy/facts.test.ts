import { describe, expect, it } from 'vitest'
import { FACTS, findForeignFacts, mayState } from './facts.ts'
import { readRepository } from './repository-files.ts'

const SOMEWHERE = 'agent/somewhere.ts'

describe('a fact', () => {
  const files = readRepository().filter(({ path }) => mayState(path))
  const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? ''

  it('is stated in the file that owns it, and imported elsewhere', () => {
    expect(files.flatMap(({ path, text }) => findForeignFacts(path, text))).toEqual([])
  })

  it.each(FACTS)('is found in a second place: $name', ({ examples, owner }) => {
    for (const example of examples) {
      expect([example, findForeignFacts(SOMEWHERE, example)]).toEqual([
        example,
        [expect.stringContaining(owner)],
      ])
      expect(findForeignFacts(owner, example)).toEqual([])
    }
  })

  it.each(FACTS)('has an owner that is there, and no exception that states it no more: $name', (fact) => {
    expect(textOf(fact.owner)).not.toBe('')
    for (const path of Object.keys(fact.besides ?? {}))
      expect([path, fact.pattern.test(textOf(path))]).toEqual([path, true])
  })

  it('may be stated by tests and documents, which notice when it changes', () => {
    expect(['test/a.test.ts', 'docs/a.md', 'README.md'].map(mayState)).toEqual([false, false, false])
    expect(['core/model/ids.ts', 'platform/bootstrap/lock.mjs'].map(mayState)).toEqual([true, true])
  })
})
