import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { errnoOf, isErrno } from '../../platform/errno.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (thrown) {
    return thrown
  }
}

it('the code of a system error is told, and of nothing else', () => {
  const missing = thrownBy(() => readFileSync('/no/such/file'))
  expect(errnoOf(missing)).toBe('ENOENT')
  expect([isErrno(missing, 'EACCES', 'ENOENT'), isErrno(missing, 'EACCES')]).toEqual([true, false])
  for (const other of [
    new Error('x'),
    { code: 'ENOENT' },
    'ENOENT',
    null,
    Object.assign(new Error('x'), { code: 1 }),
  ]) {
    expect([errnoOf(other), isErrno(other, 'ENOENT', '1')]).toEqual([null, false])
  }
})
