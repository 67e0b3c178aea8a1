import type { RunnerId } from '../../core/model/index.ts'
import { splitCrashReport } from '../../protocol/agent.ts'
import type { Images } from '../host/images.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Journal } from '../state/journal.ts'
import type { HubClient } from './hub-client.ts'
import type { Outbox } from './outbox.ts'

export interface HubSubscriptionDeps {
  readonly hub: HubClient
  readonly images: Images
  readonly journal: Journal
  readonly outbox: Outbox
}

/** Puts what the hub should hear into the outbox: what earlier processes of this agent left, and whatever happens. */
export function tellHub(events: RunnerEvents, deps: HubSubscriptionDeps): void {
  const { hub, images, journal, outbox } = deps
  for (const { runner, version, settledAt } of journal.ledger.entries.values()) {
    if (settledAt === null) outbox.addRunner(runner, version)
  }
  events.subscribe('entry-changed', ({ entry }) => {
    if (entry.settledAt === null) reportRunner(entry.runner, deps)
  })
  events.subscribe('report-requested', ({ runner }) => reportRunner(runner, deps))
  events.subscribe('crash-report-collected', ({ runner, text }) => {
    const texts = splitCrashReport(text)
    outbox.addCrashReport(
      texts.map((part, index) => ({ runner, part: index + 1, parts: texts.length, text: part })),
    )
    hub.wake()
  })
  events.subscribe('image-changed', ({ image }) => {
    if (!images.isWanted(image)) return
    outbox.addImage(image)
    hub.wake()
  })
  events.subscribe('readiness-changed', () => hub.sendHeartbeat())
  events.subscribe('listing-reconciled', () => hub.refreshFacts())
}

function reportRunner(runner: RunnerId, { hub, journal, outbox }: HubSubscriptionDeps): void {
  const entry = journal.ledger.entries.get(runner)
  if (entry !== undefined) outbox.addRunner(runner, entry.version)
  hub.wake()
}
