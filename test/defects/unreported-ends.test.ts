// A list without a bound is spread into the arguments of one call.
import { expect, it } from 'vitest'
import { SourceDesk } from '../../core/flows/planner/source-state.ts'
import { SimClock } from '../sim/world/sim-clock.ts'
import { SimSource } from '../sim/world/sim-source.ts'
import { rid } from '../contract/store-fixtures.ts'

it.fails('the time up to which ends are reported is known with 200,000 unreported ends', () => {
  const desk = new SourceDesk(new SimSource(new SimClock()))
  for (let index = 0; index < 200_000; index += 1) desk.unreportedEnds.set(rid(index), index)
  const ask = (): number => desk.reportedUpTo(5)
  expect(ask).not.toThrow()
  expect(ask()).toBe(0)
})
