import { messageOf } from '../../core/model/index.ts'
import type { Clock, Log, Randomness } from '../../core/ports/index.ts'
import { BACKOFF, backoffMs } from '../../core/concurrency/backoff.ts'
import type { Engine, EngineEvent, EngineRunner } from '../engines/engine.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { EngineState } from './engine-state.ts'
import { aborted } from '../../core/concurrency/aborted.ts'
import { Notify } from '../../core/concurrency/notify.ts'

/** Events may be lost; the next listing finds what they missed. */
const RELIST_EVERY_MS = 30_000

export interface EngineWatcherDeps {
  readonly engine: Engine
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  readonly events: RunnerEvents
  readonly engineState: EngineState
  /** Handles one complete listing. The listing counts only once this has resolved. */
  readonly onList: (listed: readonly EngineRunner[]) => Promise<void>
}

/**
 * Subscribes to the engine's events, then lists, so that no event is missed between the two (K7). Lists again slowly,
 * and whenever the event stream has ended (K6).
 */
export class EngineWatcher {
  readonly #deps: EngineWatcherDeps
  readonly #changed = new Notify()
  #waiting: (() => void)[] = []
  #failures = 0

  constructor(deps: EngineWatcherDeps) {
    this.#deps = deps
    deps.events.subscribe('engine-unreachable', () => this.relist())
    // On a full disk, kept containers go with the next listing.
    deps.events.subscribe('part-checked', ({ part, problem }) => {
      if (part === 'disk' && problem !== null) this.relist()
    })
  }

  /** Resolves once a listing that began after this call is complete, however long that takes, or when aborted. */
  freshList(signal: AbortSignal): Promise<void> {
    const listed = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#changed.notify()
    return Promise.race([listed, aborted(signal)])
  }

  /** Lists soon: something may have changed without an event. */
  relist(): void {
    this.#changed.notify()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps
    for (let ends = 1; !signal.aborted; ends += 1) {
      const openedAtMs = clock.monotonicMs()
      await this.#watchOnce(signal)
      if (signal.aborted) return
      // Lists even while no event stream can be opened: this is also how an unreachable engine is noticed.
      await this.#listOnce()
      if (clock.monotonicMs() - openedAtMs > RELIST_EVERY_MS) ends = 1
      const pauseMs = backoffMs(BACKOFF.engine, Math.max(ends, this.#failures), random.unit())
      await this.#changed.wait(clock, pauseMs, signal)
    }
  }

  /** One subscription, from its opening to its end. */
  async #watchOnce(signal: AbortSignal): Promise<void> {
    const { engine, log, events } = this.#deps
    const onEvent = (event: EngineEvent): void => events.publish({ kind: 'engine-event', event })
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const listing: Promise<void>[] = []
    try {
      await engine.watch({ onOpen: () => listing.push(this.#keepListing(either)), onEvent }, either)
    } catch (error) {
      if (!signal.aborted) log.emit({ name: 'engine.events-broken', reason: messageOf(error) })
    } finally {
      over.abort()
    }
    await Promise.all(listing)
  }

  /** Lists until the stream ends. */
  async #keepListing(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps
    while (!signal.aborted) {
      await this.#listOnce()
      if (this.#failures === 0 && this.#waiting.length > 0) continue
      const retryMs = backoffMs(BACKOFF.engine, this.#failures, random.unit())
      await this.#changed.wait(clock, this.#failures > 0 ? retryMs : RELIST_EVERY_MS, signal)
    }
  }

  async #listOnce(): Promise<void> {
    const { engine, engineState, onList } = this.#deps
    const waitedFor = this.#waiting
    this.#waiting = []
    try {
      const facts = await engine.describe()
      const listed = await engine.list()
      engineState.facts = facts
      await onList(listed)
      this.#failures = 0
      this.#tell(null)
    } catch (error) {
      this.#waiting = [...waitedFor, ...this.#waiting]
      this.#noteUnreachable(error)
      return
    }
    for (const resolve of waitedFor) resolve()
  }

  #noteUnreachable(error: unknown): void {
    const { log } = this.#deps
    this.#failures += 1
    if (this.#failures === 1) log.emit({ name: 'engine.unreachable', reason: messageOf(error) })
    this.#tell(`The engine cannot be used: ${messageOf(error)}`)
  }

  #tell(problem: string | null): void {
    this.#deps.events.publish({ kind: 'part-checked', part: 'engine', problem })
  }
}
