import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runnerId, type RunnerId } from '../../../core/model/index.ts'
import { Outbox } from '../../../agent/hub/outbox.ts'

const RUNNERS = Array.from({ length: 5 }, (_, index) =>
  runnerId(`01920000-0000-7000-8000-00000000000${index}`),
)

type Step =
  | { readonly do: 'change'; readonly runner: number }
  | { readonly do: 'report' }
  /** The hub takes one of the messages on their way (again, perhaps); its ack arrives, or is lost. */
  | { readonly do: 'take'; readonly pick: number; readonly ackArrives: boolean }
  | { readonly do: 'lose'; readonly pick: number }
  | { readonly do: 'reconnect' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('change' as const), runner: fc.nat(RUNNERS.length - 1) }),
  fc.record({ do: fc.constant('report' as const) }),
  fc.record({ do: fc.constant('take' as const), pick: fc.nat(20), ackArrives: fc.boolean() }),
  fc.record({ do: fc.constant('lose' as const), pick: fc.nat(20) }),
  fc.record({ do: fc.constant('reconnect' as const) }),
)

type Wire = {
  readonly session: number
  readonly seq: number
  readonly versions: ReadonlyMap<RunnerId, number>
}

/** The outbox between an agent whose runners change and a hub that merges upwards, over a wire that loses and repeats. */
class Exchange {
  readonly outbox = new Outbox()
  readonly truth = new Map<RunnerId, number>()
  readonly hub = new Map<RunnerId, number>()
  wire: Wire[] = []
  session = 0

  change(runner: RunnerId): void {
    const version = (this.truth.get(runner) ?? 0) + 1
    this.truth.set(runner, version)
    this.outbox.addRunner(runner, version)
  }

  report(): void {
    const versions = this.outbox.pendingRunners()
    if (!this.outbox.hasRoom || versions.size === 0) return
    const seq = this.outbox.send({ kind: 'runners', versions }, 0)
    this.wire.push({ session: this.session, seq, versions })
  }

  take(message: Wire | undefined, ackArrives: boolean): void {
    if (message === undefined) return
    for (const [runner, version] of message.versions) {
      this.hub.set(runner, Math.max(version, this.hub.get(runner) ?? 0))
    }
    if (ackArrives && message.session === this.session) this.outbox.ack(message.seq)
  }

  reconnect(): void {
    this.session += 1
    this.outbox.begin()
  }

  run(what: Step): void {
    if (what.do === 'change') this.change(RUNNERS[what.runner]!)
    if (what.do === 'report') this.report()
    if (what.do === 'take') this.take(this.wire[what.pick % (this.wire.length || 1)], what.ackArrives)
    if (what.do === 'lose') this.wire.splice(what.pick, 1)
    if (what.do === 'reconnect') this.reconnect()
  }
}

describe('the outbox', () => {
  it('W7, W8: whatever is lost, repeated or reordered, the hub ends with the truth and the outbox empty', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const exchange = new Exchange()
        for (const what of steps) exchange.run(what)
        // Faults stop: a new session, and every message arrives.
        exchange.reconnect()
        exchange.wire = []
        for (let round = 0; round < 3; round += 1) {
          exchange.report()
          for (const message of exchange.wire) exchange.take(message, true)
        }
        expect(exchange.hub).toEqual(exchange.truth)
        expect(exchange.outbox.empty).toBe(true)
      }),
    )
  })

  it('never says a thing acknowledged before the hub took that version of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const exchange = new Exchange()
        for (const what of steps) {
          exchange.run(what)
          const waiting = new Set([
            ...exchange.outbox.pendingRunners().keys(),
            ...exchange.outbox.inFlight.flatMap(({ payload }) =>
              payload.kind === 'runners' ? [...payload.versions.keys()] : [],
            ),
          ])
          for (const [runner, version] of exchange.truth) {
            expect(waiting.has(runner) || exchange.hub.get(runner) === version).toBe(true)
          }
        }
      }),
    )
  })

  it('holds at most four messages in flight, and a bounded number of crash reports', () => {
    const outbox = new Outbox()
    for (let count = 0; count < 4; count += 1) outbox.send({ kind: 'heartbeat' }, count)
    expect(outbox.hasRoom).toBe(false)
    const report = { runner: RUNNERS[0]!, part: 1, parts: 1 }
    for (let count = 0; count < 500; count += 1) outbox.addCrashReport([{ ...report, text: String(count) }])
    outbox.begin()
    const taken: string[] = []
    for (const part of outbox.pendingCrashReports()) {
      outbox.ack(outbox.send({ kind: 'crash-report', part }, 0))
      taken.push(part.text)
    }
    expect(outbox.pendingCrashReports()).toEqual([])
    expect(taken).toHaveLength(100)
    expect(taken[0]).toBe('400')
  })
})
