import { describe } from 'vitest'
import type { Open } from './store-fixtures.ts'
import { describeHosts } from './store-hosts.ts'
import { describeLease } from './store-lease.ts'
import { describeLiveness } from './store-liveness.ts'
import { describeRaces } from './store-races.ts'
import { describeReading } from './store-reading.ts'
import { describeRunners } from './store-runners.ts'
import { describeSlots } from './store-slots.ts'
import { describeStatuses } from './store-statuses.ts'
import { describeTemplates } from './store-templates.ts'

/** What `FleetStore` promises, for any store: `open` gives each test an empty one of its own. */
export function describeStore(name: string, open: Open): void {
  describe(`the ${name} store`, () => {
    describeLease(open)
    describeHosts(open)
    describeLiveness(open)
    describeSlots(open)
    describeStatuses(open)
    describeRunners(open)
    describeReading(open)
    describeTemplates(open)
    describeRaces(open)
  })
}
