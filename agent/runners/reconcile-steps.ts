import type { ReportedEnd, RunnerId } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import { collectCrashReport } from './crash-report.ts'
import type { EngineState } from '../host/engine-state.ts'
import type { Retention } from '../options.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { LaunchSecrets } from './launch-secrets.ts'
import { keepsContainer } from './retention.ts'
import type { Engine, EngineRunner } from '../engines/engine.ts'
import type { Journal } from '../state/journal.ts'
import { isLive, type EndedEntry } from '../state/ledger.ts'
import { createLimiter } from '../../core/concurrency/limit.ts'
import type { Action } from './reconcile-decision.ts'

/** Concurrent removals: like starts, an engine is not faster with more than four. */
const REMOVALS_AT_ONCE = 4
/** Concurrent stops: a stop mostly waits for the grace period of its job, so many may overlap. */
const STOPS_AT_ONCE = 16
/** Each collection holds parts of a log in memory, so a hundred runners that end together are handled a few at a time. */
const CRASH_REPORTS_AT_ONCE = 4

export interface ReconcileStepsDeps {
  readonly engine: Engine
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly engineState: EngineState
  readonly events: RunnerEvents
  readonly secrets: LaunchSecrets
  /** How failed containers are kept at present. */
  readonly retention: () => Retention
}

/** State after a step: the container, null = none, `look` = unknown, inspect it. */
type Left = EngineRunner | null | 'look'

/** The single steps of reconciliation. Each is in the journal before it counts. */
export class ReconcileSteps {
  readonly #deps: ReconcileStepsDeps
  /** Runners whose crash report is collected and whose container is not removed yet. */
  readonly #reported = new Set<RunnerId>()
  readonly #removals = createLimiter(REMOVALS_AT_ONCE)
  readonly #stops = createLimiter(STOPS_AT_ONCE)
  readonly #reports = createLimiter(CRASH_REPORTS_AT_ONCE)

  constructor(deps: ReconcileStepsDeps) {
    this.#deps = deps
  }

  /** Throws `EngineError` or `journal-unwritable`: the step is then safe to retry later. */
  async take(action: Action, runner: RunnerId, seen: EngineRunner | null): Promise<Left> {
    switch (action.kind) {
      case 'nothing':
        return seen
      case 'adopt':
        await this.adopt(action.seen)
        return seen
      case 'end':
        return this.#end(action, runner, seen)
      case 'refuse':
        return this.#refuse(runner, seen, action.end)
      case 'discard':
        await this.#remove(runner)
        return this.#refuse(runner, seen, action.end)
      case 'clear':
        return this.#clear(runner, seen)
      case 'note-cleared':
        return this.#noteCleared(runner, null)
      case 'stop':
        await this.#stops(async () => this.#deps.engine.stop(runner, seen?.stopTimeoutMs ?? 0))
        return 'look'
      default:
        return action satisfies never
    }
  }

  async discardKept(runner: RunnerId): Promise<void> {
    await this.#remove(runner)
    this.#deps.log.emit({ name: 'runner.kept-container-removed', runner })
  }

  /** Records a container that the journal does not know. One that no longer runs counts as of an unknown boot. */
  async adopt(seen: EngineRunner): Promise<void> {
    const { journal, clock, log, engineState, events } = this.#deps
    const { runner, origin } = seen
    const at = clock.now()
    if (seen.state !== 'running') {
      await journal.write({ record: 'accepted', runner, origin, bootId: null, at })
      return
    }
    const startedAt = seen.startedAt ?? at
    await journal.write({ record: 'running', runner, origin, bootId: engineState.bootId, startedAt, at })
    log.emit({ name: 'runner.started', runner, startedAt, adopted: true })
    events.publish({ kind: 'runner-seen-running', seen })
  }

  async #end(
    action: Extract<Action, { kind: 'end' }>,
    runner: RunnerId,
    seen: EngineRunner | null,
  ): Promise<Left> {
    const { journal, clock, log } = this.#deps
    const { startedAt, finishedAt, end } = action
    const origin = seen?.origin ?? null
    await journal.write({ record: 'exited', runner, origin, startedAt, finishedAt, end, at: clock.now() })
    log.emit({ name: 'runner.exited', runner, finishedAt, ...end })
    return seen
  }

  async #refuse(runner: RunnerId, seen: EngineRunner | null, end: ReportedEnd): Promise<null> {
    const { journal, clock, log } = this.#deps
    await journal.write({ record: 'refused', runner, origin: seen?.origin ?? null, end, at: clock.now() })
    log.emit({ name: 'runner.refused', runner, code: end.code, reason: end.reason })
    return null
  }

  /** Removes an ended runner's container, or keeps it stopped; either way it no longer uses capacity of the host. */
  async #clear(runner: RunnerId, seen: EngineRunner | null): Promise<Left> {
    const { journal, retention } = this.#deps
    const entry = journal.ledger.entries.get(runner)
    if (entry === undefined || isLive(entry) || seen === null) return seen
    if (!entry.cleared) await this.#collectCrashReport(entry, seen)
    if (!entry.cleared && keepsContainer(entry, retention())) return this.#noteCleared(runner, seen)
    await this.#remove(runner)
    return this.#noteCleared(runner, null)
  }

  async #collectCrashReport(entry: EndedEntry, seen: EngineRunner): Promise<void> {
    const { engine, events, secrets } = this.#deps
    const { runner, end } = entry
    if (entry.phase !== 'exited' || end.outcome === 'finished' || this.#reported.has(runner)) return
    this.#reported.add(runner)
    const text = await this.#reports(() => collectCrashReport(engine, seen, entry, secrets.of(runner)))
    events.publish({ kind: 'crash-report-collected', runner, text })
  }

  async #noteCleared(runner: RunnerId, left: EngineRunner | null): Promise<Left> {
    const { journal, clock, log } = this.#deps
    const changed = await journal.write({ record: 'cleared', runner, at: clock.now() })
    this.#reported.delete(runner)
    if (changed) log.emit({ name: 'runner.cleared', runner })
    return left
  }

  async #remove(runner: RunnerId): Promise<void> {
    await this.#removals(async () => this.#deps.engine.remove(runner))
  }
}
