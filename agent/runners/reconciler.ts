import { messageOf, type RunnerId } from '../../core/model/index.ts'
import type { StopCode } from '../../protocol/journal.ts'
import type { Launcher } from './launcher.ts'
import { keepsContainer } from './retention.ts'
import { ReconcileSteps, type ReconcileStepsDeps } from './reconcile-steps.ts'
import { EngineError, type EngineRunner } from '../engines/engine.ts'
import { failed } from './exit-reasons.ts'
import { isLive, type Entry } from '../state/ledger.ts'
import { createLimiter } from '../../core/concurrency/limit.ts'
import { reconcileRunner, type Action } from './reconcile-decision.ts'
import type { Tasks } from '../background-tasks.ts'

const LOOKS_AT_ONCE = 8
/** The longest sequence is: stop, end, clear. More steps mean that something else keeps changing the container. */
const STEPS_MAX = 8

export interface ReconcilerDeps extends ReconcileStepsDeps {
  readonly tasks: Tasks
  readonly launcher: Launcher
}

/** Brings each runner to its intended state step by step, never two steps at once for one runner. */
export class Reconciler {
  readonly #deps: ReconcilerDeps
  readonly #steps: ReconcileSteps
  /** Runners at work or in line; `again` = something happened meanwhile. */
  readonly #queued = new Map<RunnerId, 'once' | 'again'>()
  readonly #looks = createLimiter(LOOKS_AT_ONCE)
  /** Kept containers that are being removed: a removal may take longer than until the next listing. */
  readonly #discarding = new Set<RunnerId>()

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
    this.#steps = new ReconcileSteps(deps)
  }

  get busy(): boolean {
    return this.#queued.size > 0
  }

  /** Records runners that only the engine knows: the journal was lost, or is older than they are. */
  async adoptUnknown(listed: readonly EngineRunner[]): Promise<void> {
    const { journal, launcher } = this.#deps
    const unknown = listed.filter(
      ({ runner }) => !journal.ledger.entries.has(runner) && !launcher.isLaunching(runner),
    )
    await Promise.all(unknown.map(async (seen) => this.#steps.adopt(seen)))
  }

  /** Enqueues every runner of the listing or the journal that is not in its intended state. */
  enqueueAll(listed: readonly EngineRunner[]): void {
    const { journal, events, launcher } = this.#deps
    const seenById = new Map(listed.map((seen) => [seen.runner, seen]))
    const unsettled = [...journal.ledger.entries.values()].filter(({ settledAt }) => settledAt === null)
    for (const runner of new Set([...seenById.keys(), ...unsettled.map((entry) => entry.runner)])) {
      const seen = seenById.get(runner) ?? null
      if (seen?.state === 'running' && !launcher.isLaunching(runner))
        events.publish({ kind: 'runner-seen-running', seen })
      if (this.#decide(runner, seen).kind !== 'nothing') this.enqueue(runner)
    }
  }

  enqueue(runner: RunnerId): void {
    const idle = !this.#queued.has(runner)
    this.#queued.set(runner, idle ? 'once' : 'again')
    if (!idle) return
    this.#inBackground('reconcile', runner, async () => {
      try {
        await this.#reconcile(runner)
      } finally {
        const again = this.#queued.get(runner) === 'again'
        this.#queued.delete(runner)
        if (again) this.enqueue(runner)
      }
    })
  }

  /** Ends a runner: one that has not been started never will be, one that runs is stopped. */
  end(runner: RunnerId, stopping: { code: StopCode; reason: string }): void {
    this.#inBackground('end', runner, async () => {
      await this.#orderEnd(runner, stopping)
      this.enqueue(runner)
    })
  }

  /** Removes the kept container of a runner that has ended. */
  discardKept(runner: RunnerId): void {
    if (this.#discarding.has(runner)) return
    this.#discarding.add(runner)
    this.#inBackground('discard-kept', runner, async () => {
      try {
        await this.#steps.discardKept(runner)
      } finally {
        this.#discarding.delete(runner)
      }
    })
  }

  async #orderEnd(runner: RunnerId, stopping: { code: StopCode; reason: string }): Promise<void> {
    const { journal, clock, launcher } = this.#deps
    const entry = journal.ledger.entries.get(runner)
    const base = { runner, at: clock.now() }
    if (entry === undefined && !launcher.isLaunching(runner)) {
      const end = failed(stopping.code, stopping.reason)
      await journal.write({ record: 'refused', ...base, origin: null, end })
    } else if (entry === undefined || (isLive(entry) && !(await this.#hasExited(entry)))) {
      await journal.write({ record: 'stopping', ...base, ...stopping })
    }
  }

  /** A runner that exited by itself keeps its own exit reason, even if a stop is ordered now. */
  async #hasExited(entry: Entry): Promise<boolean> {
    if (entry.phase !== 'running') return false
    const seen = await this.#look(entry.runner)
    return seen === null || seen.state === 'exited'
  }

  async #reconcile(runner: RunnerId): Promise<void> {
    let left: EngineRunner | null | 'look' = 'look'
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const seen: EngineRunner | null = left === 'look' ? await this.#look(runner) : left
      const action = this.#decide(runner, seen)
      if (action.kind === 'nothing') return
      left = await this.#steps.take(action, runner, seen)
    }
    this.#deps.log.emit({ name: 'runner.unsettled', runner, steps: STEPS_MAX })
  }

  async #look(runner: RunnerId): Promise<EngineRunner | null> {
    return this.#looks(async () => this.#deps.engine.inspect(runner))
  }

  #decide(runner: RunnerId, seen: EngineRunner | null): Action {
    const { journal, launcher, engineState, clock, retention } = this.#deps
    return reconcileRunner({
      seen,
      entry: journal.ledger.entries.get(runner),
      launching: launcher.isLaunching(runner),
      bootId: engineState.bootId,
      now: clock.now(),
      keeps: (ended) => keepsContainer(ended, retention()),
    })
  }

  /** A failure is retried with the next listing. */
  #inBackground(name: string, runner: RunnerId, work: () => Promise<void>): void {
    const { tasks, log, events } = this.#deps
    tasks.start(name, async () => {
      try {
        await work()
      } catch (error) {
        const kind = error instanceof EngineError ? error.kind : null
        log.emit({ name: 'runner.care-failed', runner, step: name, kind, reason: messageOf(error) })
        if (kind === 'unreachable') events.publish({ kind: 'engine-unreachable' })
      }
    })
  }
}
