import type { Clock } from '../../core/ports/index.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { DiskGuard } from '../host/disk.ts'
import type { Readiness } from '../host/readiness.ts'
import type { Retention } from '../options.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Journal } from '../state/journal.ts'
import type { Reconciler } from './reconciler.ts'
import { excessOf, forgettable } from './retention.ts'

export interface ListingDeps {
  readonly clock: Clock
  readonly disk: DiskGuard
  readonly events: RunnerEvents
  readonly journal: Journal
  readonly readiness: Readiness
  readonly reconciler: Reconciler
  readonly retention: () => Retention
}

/** Brings the agent's records in line with one complete listing. Throws `journal-unwritable`. */
export async function reconcileListing(listed: readonly EngineRunner[], deps: ListingDeps): Promise<void> {
  const { clock, disk, events, journal, readiness, reconciler, retention } = deps
  await disk.check()
  // While the journal is unwritable no runner starts, so nothing else would be written that shows its recovery.
  if (readiness.isBlockedBy('journal')) await journal.probe()
  // Unknown runners first: a snapshot that says "complete" has to contain them.
  await reconciler.adoptUnknown(listed)
  reconciler.enqueueAll(listed)
  const { entries } = journal.ledger
  for (const runner of excessOf(listed, entries, retention(), clock.now())) reconciler.discardKept(runner)
  journal.forget(forgettable(entries, listed, clock.now()))
  events.publish({ kind: 'listing-reconciled' })
}
