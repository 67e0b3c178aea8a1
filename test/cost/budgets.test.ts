import { expect, it } from 'vitest'
import { BUDGET_HOSTS, estimate } from './estimate.ts'
import { measure } from './measure.ts'
import { parseOptions } from './options.ts'
import { readStackFacts } from './stack-facts.ts'

it('a metered hub stays within every budget, idle in each mode and per thousand jobs', async () => {
  const stack = await readStackFacts()
  const measured = await measure({ hosts: BUDGET_HOSTS, sizes: stack.sizes }, () => {})
  const { budgets } = estimate(parseOptions([]), measured, stack)
  expect(budgets).toHaveLength(5)
  expect(budgets.filter(({ holds }) => !holds)).toEqual([])
})
