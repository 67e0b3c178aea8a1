import type { AgentMessage, Epoch } from '../../core/model/index.ts'
import { splitImages, splitReport } from '../../protocol/agent.ts'
import type { Images } from '../host/images.ts'
import type { Ledger } from '../state/ledger.ts'
import type { Cargo, Outbox } from './outbox.ts'
import { sightingOf } from './sightings.ts'

export interface Numbers {
  readonly epoch: Epoch
  readonly seq: number
}

/** A message that is ready but for its numbers, and what an ack of it will mean. */
export interface Letter {
  readonly cargo: Cargo
  readonly write: (numbers: Numbers) => AgentMessage
}

/** Everything that waits to be said, in the order of its worth: runners, images, and then what is for a later look. */
export function* pendingLetters(
  outbox: Outbox,
  ledger: Ledger,
  images: Images,
  now: number,
): Iterable<Letter> {
  yield* reportLetters(outbox, ledger, now)
  yield* imageLetters(outbox, images)
  for (const part of outbox.pendingBlackBoxes()) {
    const cargo = { kind: 'black-box', part } as const
    yield { cargo, write: (numbers) => ({ type: 'black-box', ...numbers, ...part }) }
  }
}

function* reportLetters(outbox: Outbox, ledger: Ledger, now: number): Iterable<Letter> {
  const pending = outbox.pendingRunners()
  const sightings = [...pending.keys()].flatMap((runner) => {
    const entry = ledger.entries.get(runner)
    return entry === undefined ? [] : [sightingOf(entry, now)]
  })
  for (const runners of splitReport(sightings)) {
    const versions = new Map(runners.map(({ runner }) => [runner, pending.get(runner) ?? 0]))
    const cargo = { kind: 'runners', versions } as const
    yield { cargo, write: (numbers) => ({ type: 'report', ...numbers, runners }) }
  }
}

function* imageLetters(outbox: Outbox, images: Images): Iterable<Letter> {
  const pending = outbox.pendingImages()
  const states = [...pending.keys()].flatMap((image) => {
    const status = images.status(image)
    return status === null ? [] : [{ image, status }]
  })
  for (const part of splitImages(states)) {
    const versions = new Map(part.map(({ image }) => [image, pending.get(image) ?? 0]))
    const cargo = { kind: 'images', versions } as const
    yield { cargo, write: (numbers) => ({ type: 'images', ...numbers, images: part }) }
  }
}
