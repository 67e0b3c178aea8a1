import type { AgentMessage, Epoch } from '../../core/model/index.ts'
import { splitImages, splitReport } from '../../protocol/agent.ts'
import type { Images } from '../host/images.ts'
import type { Ledger } from '../state/ledger.ts'
import type { Payload, Outbox } from './outbox.ts'
import { sightingOf } from './sightings.ts'

export interface Numbers {
  readonly epoch: Epoch
  readonly seq: number
}

/** A message that lacks only its numbers, and what its ack will confirm. */
export interface PendingMessage {
  readonly payload: Payload
  readonly write: (numbers: Numbers) => AgentMessage
}

/** Everything that is not sent yet, most important first: runners, images, crash reports. */
export function* pendingMessages(
  outbox: Outbox,
  ledger: Ledger,
  images: Images,
  now: number,
): Iterable<PendingMessage> {
  yield* reportMessages(outbox, ledger, now)
  yield* imageMessages(outbox, images)
  for (const part of outbox.pendingCrashReports()) {
    const payload = { kind: 'crash-report', part } as const
    yield { payload, write: (numbers) => ({ type: 'black-box', ...numbers, ...part }) }
  }
}

function* reportMessages(outbox: Outbox, ledger: Ledger, now: number): Iterable<PendingMessage> {
  const pending = outbox.pendingRunners()
  const sightings = [...pending.keys()].flatMap((runner) => {
    const entry = ledger.entries.get(runner)
    return entry === undefined ? [] : [sightingOf(entry, now)]
  })
  for (const runners of splitReport(sightings)) {
    const versions = new Map(runners.map(({ runner }) => [runner, pending.get(runner) ?? 0]))
    const payload = { kind: 'runners', versions } as const
    yield { payload, write: (numbers) => ({ type: 'report', ...numbers, runners }) }
  }
}

function* imageMessages(outbox: Outbox, images: Images): Iterable<PendingMessage> {
  const pending = outbox.pendingImages()
  const states = [...pending.keys()].flatMap((image) => {
    const status = images.status(image)
    return status === null ? [] : [{ image, status }]
  })
  for (const part of splitImages(states)) {
    const versions = new Map(part.map(({ image }) => [image, pending.get(image) ?? 0]))
    const payload = { kind: 'images', versions } as const
    yield { payload, write: (numbers) => ({ type: 'images', ...numbers, images: part }) }
  }
}
