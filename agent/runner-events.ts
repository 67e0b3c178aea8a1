import type { LaunchOrder, RunnerId } from '../core/model/index.ts'
import type { EngineEvent, EngineRunner } from './engines/engine.ts'
import type { Entry } from './state/ledger.ts'

/** A part of the host that a runner needs. */
export type HostPart = 'engine' | 'journal' | 'disk'

/** What happens to runners and to the parts of the host that they need. */
export type RunnerEvent =
  /** The journal holds a new state of a runner, and it is on disk. */
  | { readonly kind: 'entry-changed'; readonly entry: Entry }
  /** The hub should hear, perhaps again, where a runner is. */
  | { readonly kind: 'report-requested'; readonly runner: RunnerId }
  | { readonly kind: 'launch-accepted'; readonly order: LaunchOrder }
  /** A launch is over, whether it succeeded or not. `running`: as far as the launch could see. */
  | { readonly kind: 'launch-ended'; readonly runner: RunnerId; readonly running: boolean }
  /** This agent has just started a runner. */
  | { readonly kind: 'runner-started'; readonly seen: EngineRunner }
  /** A runner is running, as a look at the engine shows; sent again with each listing. */
  | { readonly kind: 'runner-seen-running'; readonly seen: EngineRunner }
  | { readonly kind: 'lifetime-expired'; readonly runner: RunnerId }
  | { readonly kind: 'crash-report-collected'; readonly runner: RunnerId; readonly text: string }
  /** The status of an image may have changed. */
  | { readonly kind: 'image-changed'; readonly image: string }
  | { readonly kind: 'engine-event'; readonly event: EngineEvent }
  /** An engine call got no answer. */
  | { readonly kind: 'engine-unreachable' }
  /** A complete listing of the engine has been reconciled. */
  | { readonly kind: 'listing-reconciled' }
  /** A part was used or checked. `problem` null: it works. */
  | { readonly kind: 'part-checked'; readonly part: HostPart; readonly problem: string | null }
  /** This host takes new runners, or no longer, or for another reason. */
  | { readonly kind: 'readiness-changed' }

type Kind = RunnerEvent['kind']
type EventOf<K extends Kind> = Extract<RunnerEvent, { readonly kind: K }>

/** Tells the parts of one agent what happens, so that no part has to know the others. */
export class RunnerEvents {
  readonly #handlers: ((event: RunnerEvent) => void)[] = []

  /** Handlers run in the order of their subscriptions. A handler must not throw: what it throws reaches the publisher. */
  subscribe<K extends Kind>(kind: K, handle: (event: EventOf<K>) => void): void {
    this.#handlers.push((event) => {
      if (isOf(event, kind)) handle(event)
    })
  }

  /** Returns after every handler has run. */
  publish(event: RunnerEvent): void {
    for (const handle of this.#handlers) handle(event)
  }
}

function isOf<K extends Kind>(event: RunnerEvent, kind: K): event is EventOf<K> {
  return event.kind === kind
}
