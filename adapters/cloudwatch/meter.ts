import { handleEvent } from '../../core/model/index.ts'
import type { LogEntry } from '../../core/ports/index.ts'
import { embedded } from './embedded-metrics.ts'
import { MEASURES, noSums } from './measures.ts'

/**
 * Turns events into metrics. Counts are accumulated and sent with the next line that carries metrics. If a function is
 * killed, its accumulated counts are lost, but its log lines are not.
 */
export class Meter {
  readonly #hub: string
  readonly #facts: Readonly<Record<string, unknown>>
  #sums = noSums()

  /** `facts`: fields that are added to every line with metrics. */
  constructor(hub: string, facts: Readonly<Record<string, unknown>> = {}) {
    this.#hub = hub
    this.#facts = facts
  }

  /** Counts a request to AWS and returns it. */
  counting<T>(request: T): T {
    this.#sums.calls += 1
    return request
  }

  /** Counts an event. Returns the fields to add to its line: metrics, if the event has any. */
  take({ at, event }: LogEntry): Readonly<Record<string, unknown>> {
    const { metrics, takesSums } = handleEvent(MEASURES, event, this.#sums)
    if (takesSums) this.#sums = noSums()
    if (metrics === null) return {}
    return metrics.length === 0 ? this.#facts : { ...this.#facts, ...embedded(this.#hub, at, metrics) }
  }
}
