import { messageOf, type LaunchOrder, type ReportedEnd, type RunnerId } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import { createAndStart, type Attempt } from './create-and-start.ts'
import type { Engine, EngineRunner } from '../engines/engine.ts'
import { failed } from './exit-reasons.ts'
import type { Images } from '../host/images.ts'
import type { Journal } from '../state/journal.ts'
import { createLimiter } from '../../core/concurrency/limit.ts'
import type { Readiness } from '../host/readiness.ts'
import type { StartRate } from '../host/start-rate.ts'
import type { EngineState } from '../host/engine-state.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Tasks } from '../background-tasks.ts'

/** Concurrent creates and starts: an engine is not faster with more than four. */
const STARTS_AT_ONCE = 4

export interface LauncherDeps {
  readonly engine: Engine
  readonly journal: Journal
  readonly images: Images
  readonly readiness: Readiness
  readonly startRate: StartRate
  readonly clock: Clock
  readonly log: Log
  readonly tasks: Tasks
  readonly engineState: EngineState
  readonly events: RunnerEvents
}

/** Starts runners: each id at most once, each token in at most one container. */
export class Launcher {
  readonly #deps: LauncherDeps
  readonly #launching = new Set<RunnerId>()
  readonly #starts = createLimiter(STARTS_AT_ONCE)

  constructor(deps: LauncherDeps) {
    this.#deps = deps
  }

  get busy(): boolean {
    return this.#launching.size > 0
  }

  isLaunching(runner: RunnerId): boolean {
    return this.#launching.has(runner)
  }

  launch(order: LaunchOrder): void {
    const { clock, events, tasks } = this.#deps
    const deadlineMs = clock.monotonicMs() + order.expiresInMs
    // A repeated order: the first one is being executed.
    if (this.#launching.has(order.runner)) return
    this.#launching.add(order.runner)
    tasks.start('launch', async () => {
      let running = false
      try {
        running = await this.#launchOnce(order, deadlineMs)
      } finally {
        this.#launching.delete(order.runner)
        events.publish({ kind: 'launch-ended', runner: order.runner, running })
      }
    })
  }

  /** Records the launch on disk before anything else happens. False: this id was seen before. */
  async #accept(order: LaunchOrder): Promise<boolean> {
    const { runner, origin } = order
    if (this.#deps.journal.ledger.entries.has(runner)) return false
    const at = this.#deps.clock.now()
    const accepted = await this.#deps.journal.write({
      record: 'accepted',
      runner,
      origin,
      bootId: this.#deps.engineState.bootId,
      at,
    })
    if (!accepted) return false
    this.#deps.log.emit({
      name: 'agent.launch-accepted',
      runner,
      template: origin.template,
      image: order.image,
    })
    this.#deps.events.publish({ kind: 'launch-accepted', order })
    return true
  }

  async #refuse({ runner, origin }: LaunchOrder, end: ReportedEnd): Promise<void> {
    const changed = await this.#deps.journal.write({
      record: 'refused',
      runner,
      origin,
      end,
      at: this.#deps.clock.now(),
    })
    if (changed) this.#deps.log.emit({ name: 'runner.refused', runner, code: end.code, reason: end.reason })
  }

  async #noteStarted(seen: EngineRunner): Promise<void> {
    const { runner, origin } = seen
    const startedAt = seen.startedAt ?? this.#deps.clock.now()
    const at = this.#deps.clock.now()
    await this.#deps.journal.write({
      record: 'running',
      runner,
      origin,
      bootId: this.#deps.engineState.bootId,
      startedAt,
      at,
    })
    this.#deps.log.emit({ name: 'runner.started', runner, startedAt })
    if (seen.state === 'running') this.#deps.events.publish({ kind: 'runner-started', seen })
  }

  /** Why a runner must no longer be created or started, such as an ended reservation (R2); null = it may. */
  #objectionTo({ runner }: LaunchOrder, deadlineMs: number): ReportedEnd | null {
    const stopping = this.#deps.journal.ledger.entries.get(runner)?.stopping ?? null
    if (stopping !== null) return failed(stopping.code, stopping.reason)
    if (this.#deps.readiness.isBlockedBy('stopping')) return notReadyEnd(this.#deps.readiness)
    if (this.#deps.clock.monotonicMs() < deadlineMs) return null
    return failed('reservation-expired', 'Its reservation ended before its container could be started.')
  }

  /** From accepted to started. If the image turns out to be gone, it is pulled once more. */
  async #createAndStart(order: LaunchOrder, deadlineMs: number): Promise<Attempt> {
    for (let round = 0; round < 2; round += 1) {
      // Outside the limiter, so that the pull of one image does not block other launches.
      const end = (await this.#pullImage(order, deadlineMs)) ?? this.#objectionTo(order, deadlineMs)
      if (end !== null) return { kind: 'failed', end }
      const attempt = await this.#starts(async () => this.#attempt(order, deadlineMs))
      if (attempt.kind !== 'image-missing') return attempt
      this.#deps.images.forget(order.image)
    }
    const reason = `The image ${order.image} was pulled, but was gone again when the container was created.`
    return { kind: 'failed', end: failed('image-unavailable', reason) }
  }

  async #attempt(order: LaunchOrder, deadlineMs: number): Promise<Attempt> {
    const end = this.#objectionTo(order, deadlineMs)
    if (end !== null) return { kind: 'failed', end }
    let attempt: Attempt = { kind: 'unknown' }
    this.#deps.startRate.began(this.#deps.clock.monotonicMs())
    try {
      attempt = await createAndStart(this.#deps.engine, order, () => this.#objectionTo(order, deadlineMs))
      return attempt
    } finally {
      this.#deps.startRate.ended(this.#deps.clock.monotonicMs(), attempt.kind === 'started')
    }
  }

  /** Null: the image is present. */
  async #pullImage(order: LaunchOrder, deadlineMs: number): Promise<ReportedEnd | null> {
    const settled = new AbortController()
    const expired = new AbortController()
    const expiry = this.#deps.clock.sleep(
      Math.max(0, deadlineMs - this.#deps.clock.monotonicMs()),
      settled.signal,
    )
    void expiry.then(() => expired.abort())
    try {
      await this.#deps.images.ensure(order, expired.signal)
      return null
    } catch (error) {
      // A timer may fire slightly before the clock reaches the deadline.
      const dueMs = expired.signal.aborted ? Number.NEGATIVE_INFINITY : deadlineMs
      return (
        this.#objectionTo(order, dueMs) ??
        failed('image-unavailable', `Its image cannot be pulled: ${messageOf(error)}`)
      )
    } finally {
      settled.abort()
    }
  }

  /** True if the runner was running at the end of this launch. */
  async #launchOnce(order: LaunchOrder, deadlineMs: number): Promise<boolean> {
    const { readiness, journal, events } = this.#deps
    const known = journal.ledger.entries.get(order.runner)
    const notReady = known === undefined ? notReadyEnd(readiness) : null
    if (notReady !== null) {
      await this.#refuse(order, notReady)
      return false
    }
    if (!(await this.#accept(order))) {
      events.publish({ kind: 'report-requested', runner: order.runner })
      return known?.phase === 'running'
    }
    const attempt = await this.#createAndStart(order, deadlineMs)
    if (attempt.kind === 'started') await this.#noteStarted(attempt.seen)
    else if (attempt.kind === 'failed') await this.#refuse(order, attempt.end)
    else events.publish({ kind: 'engine-unreachable' })
    return attempt.kind === 'started' && attempt.seen.state === 'running'
  }
}

/** Null: this host takes runners. */
function notReadyEnd(readiness: Readiness): ReportedEnd | null {
  if (readiness.accepting) return null
  const reason = readiness.notAcceptingReason ?? 'This host does not take runners now.'
  return failed(readiness.isBlockedBy('engine') ? 'engine-unreachable' : 'refused-by-agent', reason)
}
